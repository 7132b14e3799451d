/**
 * @typedef {object} OfferedDataset
 * @property {string} name as the API knows it
 * @property {string} title
 * @property {readonly string[]} groupBy columns whose values repeat
 * @property {readonly string[]} measures columns with numbers
 */

/** Of the datasets that the API has those that make a report worth a look, with the columns to make it of.
 * @type {readonly OfferedDataset[]} */
export const OFFERED_DATASETS = [
  {
    name: 'seattle-weather',
    title: 'Weather in Seattle, 2012 to 2015',
    groupBy: ['weather'],
    measures: ['precipitation', 'temp_max', 'temp_min', 'wind'],
  },
  {
    name: 'weather',
    title: 'Weather in Seattle and New York',
    groupBy: ['weather', 'location'],
    measures: ['temp_max', 'temp_min', 'precipitation', 'wind'],
  },
  {
    name: 'gapminder-health-income',
    title: 'Health and income of nations',
    groupBy: ['region'],
    measures: ['income', 'health', 'population'],
  },
  {
    name: 'iowa-electricity',
    title: 'Electricity in Iowa, 2001 to 2017',
    groupBy: ['source', 'year'],
    measures: ['net_generation'],
  },
  { name: 'stocks', title: 'Prices of five stocks', groupBy: ['symbol'], measures: ['price'] },
  { name: 'disasters', title: 'Deaths by natural disasters since 1900', groupBy: ['Entity'], measures: ['Deaths'] },
  {
    name: 'birdstrikes',
    title: 'Birds and aircraft',
    groupBy: ['Wildlife Size', 'Phase of flight', 'Time of day', 'Origin State', 'Wildlife Species'],
    measures: ['Cost Total $', 'Cost Repair', 'Cost Other'],
  },
];
