import { readHeader } from '../csv/csv-header.js';
import { readGroups } from '../reports/csv/read-groups.js';
import { datasetPath } from '../reports/datasets.js';
import { OFFERED_DATASETS } from './browser/offered-datasets.js';

it.each(OFFERED_DATASETS)('a report can be made of $name with every column that the page offers', async (offered) => {
  const { name, groupBy, measures } = offered;
  const path = datasetPath(name)!;
  const header = await readHeader(path, [...groupBy, ...measures]);
  expect(header.columns).toEqual(expect.arrayContaining([...groupBy, ...measures]));
  for (const measure of measures) {
    const { values } = await readGroups(path, header, { groupBy: groupBy[0]!, measure });
    expect(values.size).toBeGreaterThan(1);
  }
});
