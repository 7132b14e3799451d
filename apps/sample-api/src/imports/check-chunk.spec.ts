import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkChunk } from './check-chunk.js';
import type { ChunkReport } from './import.payload.js';
import { cutUpload, readLayout } from './read-upload.js';

describe('an upload', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'check-chunk-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function upload(content: string | Buffer): Promise<string> {
    const path = join(folder, 'upload.csv');
    await writeFile(path, content);
    return path;
  }

  /** The report of each chunk, or why it was refused. */
  async function check(content: string | Buffer): Promise<(ChunkReport | string)[]> {
    const path = await upload(content);
    const layout = await readLayout(path);
    const chunks = await cutUpload(path, layout, new AbortController().signal);
    const reports = chunks.map((chunk) =>
      checkChunk(path, { layout, chunk }).catch((error: { code: string; message: string }) => {
        return `${error.code}: ${error.message}`;
      }),
    );
    return Promise.all(reports);
  }

  const rows = (count: number, from = 1): string =>
    Array.from({ length: count }, (_, n) => `n${from + n},n${from + n}@example.com,0.01\n`).join('');

  it('is added up in cents', async () => {
    expect(await check('name,email,amount\nAda,a@b.c,0.1\nBo,b@b.c,0.2\nCy,c@b.c,-3\n')).toEqual([
      { accepted: 3, rejected: 0, amounts: { total: -270, smallest: -300, largest: 20 }, rejectedRows: [] },
    ]);
  });

  it('may have other separators, further columns, blank lines, a byte order mark and line breaks in quotes', async () => {
    const text = '\uFEFFid;amount;email;name\r\n1;5;a@b.c;"Ada\r\nL."\r\n\r\n2;x;b@b.c;Bo\r\n';
    expect(await check(text)).toEqual([
      {
        accepted: 1,
        rejected: 1,
        amounts: { total: 500, smallest: 500, largest: 500 },
        rejectedRows: [{ line: 5, reason: 'amount "x" is not a number like 1234.56' }],
      },
    ]);
    expect(await check('name\temail\tamount\rAda\ta@b.c\t1\rBo\tb@b.c\t\r')).toMatchObject([
      { accepted: 1, rejectedRows: [{ line: 3 }] },
    ]);
  });

  it('is told of by the lines that an editor shows, in every chunk', async () => {
    const text = `name,email,amount\n${rows(99)}"two\nlines",a@b.c,1\nBo,nowhere,1\n${rows(98, 102)}"x\n\ny",bad,1\nCy,c@b.c,-\n`;
    const lines = text.split('\n');
    const reports = (await check(text)) as ChunkReport[];
    expect(reports).toHaveLength(3);
    const told = reports.flatMap(({ rejectedRows }) => rejectedRows.map(({ line }) => lines[line - 1]));
    expect(told).toEqual(['Bo,nowhere,1', '"x', 'Cy,c@b.c,-']);
  });

  it('lists no more than the first rejected rows of a chunk', async () => {
    const [report] = (await check(`name,email,amount\n${'x,y,z\n'.repeat(100)}`)) as [ChunkReport];
    expect(report).toMatchObject({ accepted: 0, rejected: 100, amounts: null });
    expect(report.rejectedRows.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, n) => n + 2));
  });

  it('loses a chunk that is no text, and no other', async () => {
    const bad = Buffer.concat([Buffer.from('B'), Buffer.from([0xff]), Buffer.from(',b@b.c,1\n')]);
    const text = Buffer.concat([Buffer.from(`name,email,amount\n${rows(150)}`), bad, Buffer.from(rows(149, 151))]);
    expect(await check(text)).toEqual([
      expect.objectContaining({ accepted: 100 }),
      expect.stringMatching(/^ENCODING_INVALID: .*line 152 /),
      expect.objectContaining({ accepted: 100 }),
    ]);
  });

  it('loses a chunk with a quote in the wrong place, and no other', async () => {
    expect(await check(`name,email,amount\n${rows(120)}B"o,b@b.c,1\n${rows(179, 122)}`)).toEqual([
      expect.objectContaining({ accepted: 100 }),
      expect.stringMatching(/^CSV_INVALID: Line 122 has a double quote in the wrong place/),
      expect.objectContaining({ accepted: 100 }),
    ]);
  });

  it('loses what follows a quote that is never closed, and its chunk', async () => {
    expect(await check(`name,email,amount\n${rows(120)}"Bo,b@b.c,1\n${rows(500, 122)}`)).toEqual([
      expect.objectContaining({ accepted: 100 }),
      expect.stringMatching(/^CSV_INVALID: A quoted value that was opened .* is never closed/),
    ]);
  });

  it.each([
    ['nothing', '', 'FILE_EMPTY', /empty/],
    ['only blank lines', '\n\n\n', 'FILE_EMPTY', /blank/],
    ['no rows', 'name,email,amount\n\n', 'FILE_EMPTY', /no rows/],
    ['a column too few', 'name,amount\nAda,1\n', 'COLUMN_UNKNOWN', /no column "email"\. The columns are: name, amount/],
    ['a column twice', 'name,email,amount,email\nAda,a@b.c,1,x\n', 'CSV_INVALID', /"email" more than once/],
    ['a spreadsheet', Buffer.from('PK\u0003\u0004rest'), 'CSV_INVALID', /spreadsheet/],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0a]), 'ENCODING_INVALID', /UTF-8/],
    ['JSON', '{"name":"Ada"}', 'CSV_INVALID', /quote/],
  ])('is refused at once with %s', async (_what, content, code, message) => {
    await expect(readLayout(await upload(content))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});
