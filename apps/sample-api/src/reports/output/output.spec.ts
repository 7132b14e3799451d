import { describeGroup } from '../statistics/group-statistics.js';
import { roundTicks } from './chart-scale.js';
import { formatNumber } from './number-format.js';
import { drawableText } from './pdf-text.js';
import { chooseShownGroups } from './reading-order.js';
import { csvCell, summaryCsv } from './summary-csv.js';

describe('the summary CSV', () => {
  it('has a line for each group', () => {
    const lines = [...summaryCsv('city', [describeGroup('Oslo', [1, 2]), describeGroup('Bergen', [5])])];
    expect(lines.join('')).toBe(
      'city,count,sum,mean,min,max,p50,p95\nOslo,2,3,1.5,1,2,1.5,1.95\nBergen,1,5,5,5,5,5,5\n',
    );
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['+49 30', "'+49 30"],
    ['-cmd', "'-cmd"],
    ['\t=1', "'\t=1"],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['-1.5', '-1.5'],
    ['+2e3', '+2e3'],
    ['a-b', 'a-b'],
    ['say "hi"', '"say ""hi"""'],
    ['a,b', '"a,b"'],
    ['two\nlines', '"two\nlines"'],
  ])('writes %j as %j', (text, cell) => {
    expect(csvCell(text)).toBe(cell);
  });
});

describe('the groups a report shows', () => {
  function choose(entries: [string, number[]][]) {
    const ranked = entries.map(([group, values]) => describeGroup(group, values));
    const { groups, others } = chooseShownGroups(ranked, new Map(entries));
    return { names: groups.map(({ group }) => group), others };
  }

  it('come from the largest mean down', () => {
    expect(
      choose([
        ['low', [1]],
        ['high', [9]],
        ['middle', [5]],
      ]),
    ).toEqual({ names: ['high', 'middle', 'low'] });
  });

  it('keep the order of years, dates and numbers', () => {
    expect(
      choose([
        ['2001', [1]],
        ['1999', [9]],
        ['2000', [5]],
      ]).names,
    ).toEqual(['1999', '2000', '2001']);
    expect(
      choose([
        ['10', [1]],
        ['9', [9]],
      ]).names,
    ).toEqual(['9', '10']);
    expect(
      choose([
        ['2020-02', [1]],
        ['2020-01', [9]],
      ]).names,
    ).toEqual(['2020-01', '2020-02']);
  });

  it('are the first 20, and the rest are one group with its own statistics', () => {
    const many = Array.from({ length: 23 }, (_, index): [string, number[]] => [`group ${index}`, [index, index]]);
    const { names, others } = choose(many);
    expect(names).toHaveLength(20);
    expect(others).toEqual({ groupCount: 3, statistics: describeGroup('others', [20, 20, 21, 21, 22, 22]) });
  });
});

describe('the axis of the chart', () => {
  it.each([
    [0, 8.55, [0, 2, 4, 6, 8, 10]],
    [3, 98, [0, 20, 40, 60, 80, 100]],
    [-0.36, 0.11, [-0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2]],
    [-50, -10, [-50, -40, -30, -20, -10, 0]],
    [0, 0, [0, 1]],
  ])('from %d to %d has round ticks and zero', (low, high, ticks) => {
    expect(roundTicks(low, high)).toEqual(ticks);
  });
});

describe('numbers in a report', () => {
  it.each([
    [0, '0'],
    [1461, '1,461'],
    [6.557878, '6.56'],
    [1234.56, '1,234.6'],
    [0.0012345, '0.00123'],
    [12_345_678, '12.35M'],
    [-0.17, '-0.17'],
    [1e21, '1.00e+21'],
  ])('%d is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('text in a report', () => {
  it('keeps Western European letters, drops accents the font lacks, and marks what it cannot draw', () => {
    expect(drawableText('Zürich – 10 €')).toEqual({ text: 'Zürich – 10 €', exact: true });
    expect(drawableText('Plzeň')).toEqual({ text: 'Plzen', exact: false });
    expect(drawableText('東京')).toEqual({ text: '??', exact: false });
    expect(drawableText('two\nlines')).toEqual({ text: 'two lines', exact: true });
  });
});
