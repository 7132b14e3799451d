import { createReadStream } from 'node:fs';
import { columnIndex, readHeader } from '../csv/csv-header.js';
import { InputProblem } from '../csv/input-problem.js';
import { ChunkCutter, joinChunks } from './chunk-cutter.js';
import type { ImportChunk, ImportLayout } from './import.payload.js';

export const IMPORT_COLUMNS = ['name', 'email', 'amount'] as const;
/** A job for each so many rows, until there are as many jobs as MOST_CHUNKS; then each has more rows. */
export const ROWS_PER_CHUNK = 100;
/** What names the chunks has to stay far below what a payload may have. */
export const MOST_CHUNKS = 500;

/**
 * Reads the beginning of an upload: enough to refuse at once what cannot be imported at all.
 *
 * @throws {@link InputProblem}
 */
export async function readLayout(path: string): Promise<ImportLayout> {
  const header = await readHeader(path, IMPORT_COLUMNS);
  const [name, email, amount] = IMPORT_COLUMNS.map((column) => columnIndex(header, column)) as [number, number, number];
  const { delimiter } = header;
  const cutter = new ChunkCutter(1, delimiter);
  for await (const bytes of createReadStream(path) as AsyncIterable<Buffer>) {
    cutter.push(bytes);
    if (cutter.rows > 0) break;
  }
  cutter.finish();
  if (cutter.rows === 0) {
    throw new InputProblem('FILE_EMPTY', 'The file has a header but no rows. Send a CSV file with at least one row.');
  }
  return { delimiter, newline: cutter.newline, cells: header.columns.length, name, email, amount };
}

export async function cutUpload(path: string, layout: ImportLayout, signal: AbortSignal): Promise<ImportChunk[]> {
  const cutter = new ChunkCutter(ROWS_PER_CHUNK, layout.delimiter);
  for await (const bytes of createReadStream(path, { signal }) as AsyncIterable<Buffer>) cutter.push(bytes);
  return joinChunks(cutter.finish(), MOST_CHUNKS);
}
