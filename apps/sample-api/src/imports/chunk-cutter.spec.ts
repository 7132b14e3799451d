import { parse } from 'csv-parse/sync';
import type { Delimiter } from '../csv/csv-header.js';
import { ChunkCutter, joinChunks } from './chunk-cutter.js';

function cut(text: string, rowsPerChunk = 1, { delimiter = ',' as Delimiter, piece = 1_000 } = {}) {
  const bytes = Buffer.from(text);
  const cutter = new ChunkCutter(rowsPerChunk, delimiter);
  for (let at = 0; at < bytes.length; at += piece) cutter.push(bytes.subarray(at, at + piece));
  const chunks = cutter.finish();
  const texts = chunks.map(({ start, end }) => bytes.subarray(start, end).toString());
  return { chunks, texts, rows: cutter.rows, newline: cutter.newline };
}

describe('ChunkCutter', () => {
  it('cuts after so many rows, and says where each chunk begins', () => {
    const { chunks, texts } = cut('a,b\n1,2\n3,4\n5,6\n', 2);
    expect(texts).toEqual(['1,2\n3,4\n', '5,6\n']);
    expect(chunks).toEqual([
      { start: 4, end: 12, line: 2, rows: 2 },
      { start: 12, end: 16, line: 4, rows: 1 },
    ]);
  });

  it.each([
    ['no line break at the end', 'a\n1\n2', ['1\n', '2'], [2, 3]],
    ['CRLF', 'a\r\n1\r\n2\r\n', ['1\r\n', '2\r\n'], [2, 3]],
    ['CR', 'a\r1\r2\r', ['1\r', '2\r'], [2, 3]],
    ['blank lines', '\n\na\n\n1\n\n\n2\n\n', ['\n1\n', '\n\n2\n'], [4, 6]],
    ['a byte order mark', '\uFEFFa\n1\n', ['1\n'], [2]],
    ['a byte order mark and a blank line', '\uFEFF\r\na\r\n1\r\n', ['1\r\n'], [3]],
    ['line breaks in quotes', 'a\n"1\n1"\n2\n', ['"1\n1"\n', '2\n'], [2, 4]],
    ['quotes in quotes', 'a\n"1""\n"\n2\n', ['"1""\n"\n', '2\n'], [2, 4]],
    ['line breaks in a quoted header', '"a\nb",c\n1,2\n', ['1,2\n'], [3]],
    ['a quote in the middle of a value, which opens nothing', 'a\n1"\n2\n', ['1"\n', '2\n'], [2, 3]],
    ['a quote that is never closed', 'a\n1\n"2\n3\n', ['1\n', '"2\n3\n'], [2, 3]],
    ['only a header', 'a\n', [], []],
    ['nothing', '', [], []],
  ])('takes %s', (_what, text, texts, lines) => {
    for (const piece of [1, 2, 3, 1_000]) {
      const found = cut(text, 1, { piece });
      expect(found.texts).toEqual(texts);
      expect(found.chunks.map(({ line }) => line)).toEqual(lines);
      expect(found.rows).toBe(texts.length);
    }
  });

  it('opens quotes after the delimiter that the file has', () => {
    expect(cut('a;b\n1;"2\n2"\n3;4\n', 1, { delimiter: ';' }).texts).toEqual(['1;"2\n2"\n', '3;4\n']);
    expect(cut('a;b\n1,"2\n2"\n', 1, { delimiter: ';' }).texts).toEqual(['1,"2\n', '2"\n']);
  });

  it('finds the rows that csv-parse finds, whatever is in them', () => {
    const cells = ['', 'x', '"x"', '"x,y"', '"x""y"', '""""', '"x\ny"', '"x\r\ny"', 'ü', '"\n\n"'];
    for (const newline of ['\n', '\r\n']) {
      const rows = Array.from({ length: 400 }, (_, n) => [cells[n % 10]!, cells[(n * 7 + 3) % 10]!, `n${n}`].join(','));
      const text = `a,b,c${newline}${rows.join(newline)}${newline}`;
      const read = (part: string): unknown => parse(part, { skip_empty_lines: true, record_delimiter: newline });
      const { texts } = cut(text, 7);
      expect(texts).toHaveLength(58);
      expect(texts.flatMap(read)).toEqual((read(text) as string[][]).slice(1));
    }
  });
});

describe('joinChunks', () => {
  const { chunks } = cut(`a\n${'1\n'.repeat(10)}`);

  it('leaves alone what is not too many', () => {
    expect(joinChunks(chunks, 10)).toEqual(chunks);
    expect(joinChunks([], 10)).toEqual([]);
  });

  it.each([
    [9, [2, 2, 2, 2, 2]],
    [4, [3, 3, 3, 1]],
    [1, [10]],
  ])('makes at most %i of ten, without a gap', (most, rows) => {
    const joined = joinChunks(chunks, most);
    expect(joined.map((chunk) => chunk.rows)).toEqual(rows);
    expect(joined[0]!.start).toBe(2);
    expect(joined.at(-1)!.end).toBe(22);
    for (const [n, { start, line }] of joined.entries()) {
      expect(start).toBe(n === 0 ? 2 : joined[n - 1]!.end);
      expect(line).toBe(start / 2 + 1);
    }
  });
});
