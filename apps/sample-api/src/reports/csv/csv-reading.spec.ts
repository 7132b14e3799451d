import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readHeader } from '../../csv/csv-header.js';
import { readGroups } from './read-groups.js';

describe('reading a CSV file', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'csv-reading-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function read(content: string | Buffer, groupBy = 'city', measure = 'amount') {
    const path = join(folder, 'input.csv');
    await writeFile(path, content);
    const columns = { groupBy, measure };
    const shares: number[] = [];
    const header = await readHeader(path, [groupBy, measure]);
    const { rows, skipped, values } = await readGroups(path, header, columns, (share) => shares.push(share));
    return { rows, skipped, groups: Object.fromEntries(values), shares };
  }

  const refusal = (content: string | Buffer, groupBy?: string, measure?: string) =>
    read(content, groupBy, measure).then(
      () => undefined,
      (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
    );

  it('groups the numbers of one column by the values of another', async () => {
    expect(await read('city,amount\nOslo,1\nBergen,2.5\nOslo,-3e2\n')).toMatchObject({
      rows: 3,
      skipped: 0,
      groups: { Oslo: [1, -300], Bergen: [2.5] },
    });
  });

  it.each([
    ['semicolons', 'city;amount\nOslo;1\n'],
    ['tabs', 'city\tamount\nOslo\t1\n'],
    ['a byte order mark', '\uFEFFcity,amount\nOslo,1\n'],
    ['CRLF', 'city,amount\r\nOslo,1\r\n'],
    ['no line end at the end', 'city,amount\nOslo,1'],
    ['blank lines', '\ncity,amount\n\nOslo,1\n\n'],
    ['spaces around values', ' city , amount \n Oslo , 1 \n'],
    ['commas in a header that semicolons separate', 'city;amount;"a, b, c, d"\nOslo;1;x\n'],
    ['quotes', '"city","amount"\r\n"Oslo","1"\r\n'],
  ])('takes %s', async (_name, content) => {
    expect((await read(content)).groups).toEqual({ Oslo: [1] });
  });

  it('takes separators, quotes and line breaks inside quotes', async () => {
    const { groups } = await read('city,amount\n"Oslo, ""the"" city\r\nof Norway",1\n');
    expect(groups).toEqual({ 'Oslo, "the" city\r\nof Norway': [1] });
  });

  it('skips and counts rows without a measure', async () => {
    expect(await read('city,amount\nOslo,1\nOslo,\nBergen,  \n')).toMatchObject({
      rows: 3,
      skipped: 2,
      groups: { Oslo: [1] },
    });
  });

  it('keeps a group for rows that name none', async () => {
    expect((await read('city,amount\n,1\n')).groups).toEqual({ '': [1] });
  });

  it('treats names of object members as any other group', async () => {
    const { groups } = await read('city,amount\nconstructor,1\n__proto__,2\n');
    expect(Object.entries(groups)).toContainEqual(['constructor', [1]]);
  });

  it('tells how much it has read', async () => {
    const { shares } = await read(`city,amount\n${'Oslo,1\n'.repeat(40_000)}`);
    expect(shares.length).toBeGreaterThan(2);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  it('names the columns there are when one is unknown', async () => {
    expect(await refusal('town,amount\nOslo,1\n')).toBe(
      'COLUMN_UNKNOWN: There is no column "city" to use as groupBy. The columns are: town, amount.',
    );
    expect(await refusal('city;price\nOslo;1\n')).toBe(
      'COLUMN_UNKNOWN: There is no column "amount" to use as measure. The columns are: city, price.',
    );
  });

  it('refuses a column that is there twice', async () => {
    expect(await refusal('city,amount,amount\nOslo,1,2\n')).toMatch(/^CSV_INVALID: .*"amount" more than once/);
  });

  it.each([
    ['0 bytes', ''],
    ['blank lines only', '\n\n'],
    ['a header only', 'city,amount\n'],
  ])('refuses %s as empty', async (_name, content) => {
    expect(await refusal(content)).toMatch(/^FILE_EMPTY: The file .* Send a CSV file/);
  });

  it('refuses a measure that is empty in every row', async () => {
    expect(await refusal('city,amount\nOslo,\n')).toMatch(/^COLUMN_EMPTY: /);
  });

  it.each([
    ['n/a', 'Correct it, or leave the cell empty'],
    ['"3,14"', 'Write decimals with a point'],
    ['"1,234,567.5"', 'Write thousands without a separator'],
    ['0x10', 'is not a number'],
    ['Infinity', 'is not a number'],
    ['1e999', 'is not a number'],
  ])('refuses %s as a number and says what to do', async (cell, advice) => {
    const message = await refusal(`city,amount\nOslo,1\nOslo,${cell}\n`);
    expect(message).toMatch(/^VALUE_NOT_NUMERIC: .* on line 3 is not a number/);
    expect(message).toContain(advice);
  });

  it.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
  ])('counts lines as an editor does, also after line breaks inside quotes (%s)', async (_name, lineEnd) => {
    const lines = ['city,amount', '', '"Os', 'lo",1', '"Ber', 'gen",x'];
    expect(await refusal(lines.join(lineEnd))).toContain('"x" in the column "amount" on line 5 ');
  });

  it('says which line has too many or too few cells', async () => {
    expect(await refusal('city,amount\nOslo,1\nBergen\n')).toMatch(
      /^CSV_INVALID: Line 3 has 1 cells but the header has 2/,
    );
  });

  it('explains quotes that are wrong', async () => {
    expect(await refusal('city,amount\n"Oslo,1\n')).toMatch(/^CSV_INVALID: A quoted value .* never closed/);
    expect(await refusal('city,amount\nOs"lo,1\n')).toMatch(
      /^CSV_INVALID: Line 2 has a double quote in the wrong place/,
    );
    expect(await refusal('city,amount\n"Os"lo,1\n')).toMatch(
      /^CSV_INVALID: Line 2 has a double quote in the wrong place/,
    );
  });

  it('refuses what is not UTF-8 and names the line', async () => {
    const latin1 = Buffer.from('city,amount\nOslo,1\nTromsø,2\n', 'latin1');
    expect(await refusal(latin1)).toMatch(/^ENCODING_INVALID: .* line 3 /);
    expect(await refusal(Buffer.from('città,amount\n', 'latin1'))).toMatch(/^ENCODING_INVALID: .* line 1 /);
    expect(await refusal(Buffer.from('\uFEFFcity,amount\nOslo,1\n', 'utf16le'))).toMatch(/^ENCODING_INVALID: /);
    expect(
      await refusal(Buffer.concat([Buffer.from('city,amount\nOslo,1\nBergen,2 '), Buffer.from([0xe2, 0x82])])),
    ).toMatch(/^ENCODING_INVALID: .* line 3 /);
  });

  it('is not confused by characters that lie across two chunks', async () => {
    const names = ['Tromsø', '東京', 'Ålesund 🚋'];
    const rows = Array.from({ length: 60_000 }, (_, index) => `${names[index % 3]},1`);
    const { groups } = await read(`city,amount\n${rows.join('\n')}`);
    expect(Object.keys(groups)).toEqual(names);
  });

  it('recognises a workbook', async () => {
    expect(await refusal(Buffer.from('PK\u0003\u0004 and so on'))).toMatch(
      /^CSV_INVALID: This is a spreadsheet or zip/,
    );
  });

  it('refuses to make a group of every row of a huge file', async () => {
    const rows = Array.from({ length: 100_001 }, (_, index) => `${index},1`);
    expect(await refusal(`city,amount\n${rows.join('\n')}`)).toMatch(/^TOO_MANY_GROUPS: /);
  });
});
