import { clipped, listOf, tableOf, type Column } from './table.js';

interface Row {
  readonly name: string;
  readonly count?: number;
}

const columns: Column<Row>[] = [
  { title: 'name', of: ({ name }) => name },
  { title: 'count', of: ({ count }) => count, align: 'right' },
];

describe('a table of the command line', () => {
  it('has columns as wide as their widest cell, and a dash for what is not known', () => {
    const rows = [{ name: 'a', count: 12_345 }, { name: '東京', count: 1 }, { name: 'longer' }];
    expect(tableOf(columns, rows, false).split('\n')).toEqual([
      'NAME    COUNT',
      'a       12345',
      '東京        1',
      'longer      -',
    ]);
  });

  it('lets no name command the terminal or break a line', () => {
    const text = tableOf(columns, [{ name: 'a\u001b[2J\nb' }], false);
    expect(text.split('\n').slice(1)).toEqual(['a\\x1b[2J\\x0ab      -']);
  });

  it('has its titles bold where colours are wanted', () => {
    expect(tableOf(columns, [{ name: 'a' }], true).split('\n')[0]).toBe('\u001b[1mNAME  COUNT\u001b[22m');
  });

  it('shows one thing as a list of what is known of it', () => {
    const fields = [
      ['id', 'a_1'],
      ['reason', undefined],
      ['attempts', 0],
      ['tags', ''],
    ] as const;
    expect(listOf(fields).split('\n')).toEqual(['id        a_1', 'attempts  0']);
  });

  it('clips by characters', () => {
    expect([clipped('🎉🎉🎉', 2), clipped('abc', 3)]).toEqual(['🎉…', 'abc']);
  });
});
