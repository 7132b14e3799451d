import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { csvProblem } from '../csv/csv-problem.js';
import { RecordLines } from '../csv/record-lines.js';
import { Utf8Check } from '../csv/utf8-check.js';
import { checkRow } from './check-row.js';
import type { Amounts, CheckChunk, ChunkReport } from './import.payload.js';

const LONGEST_RECORD = 1024 * 1024;
const MOST_LISTED_OF_CHUNK = 20;

/**
 * Checks each row. A row that is wrong is rejected alone; where nobody can say what the rows are, because quotes do not
 * match or because it is no text, the chunk is refused.
 *
 * @throws {@link InputProblem}
 */
export async function checkChunk(
  path: string,
  { layout, chunk }: Omit<CheckChunk, 'upload'>,
  signal?: AbortSignal,
): Promise<ChunkReport> {
  const { start, end, line } = chunk;
  const report: ChunkReport = { accepted: 0, rejected: 0, amounts: null, rejectedRows: [] };
  const lines = new RecordLines();
  const parser = parse({
    delimiter: layout.delimiter,
    record_delimiter: layout.newline === '\r' ? ['\r'] : ['\r\n', '\n'],
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: LONGEST_RECORD,
    on_record: (cells: string[], info) => {
      const at = line - 1 + lines.firstOf(cells, info.lines);
      const checked = checkRow(cells, layout);
      if ('cents' in checked) accept(report, checked.cents);
      else reject(report, at, checked.reason);
      return null;
    },
  });
  const bytes = createReadStream(path, { start, end: end - 1 });
  try {
    await pipeline(bytes, new Utf8Check(line), parser, discard(), { ...(signal && { signal }) });
  } catch (error) {
    throw error instanceof CsvError ? csvProblem(error, line - 1 + lines.lineOf(parser.info.lines)) : error;
  }
  return report;
}

function accept(report: ChunkReport, cents: number): void {
  report.accepted += 1;
  report.amounts = addAmounts(report.amounts, { total: cents, smallest: cents, largest: cents });
}

function reject(report: ChunkReport, line: number, reason: string): void {
  report.rejected += 1;
  if (report.rejectedRows.length < MOST_LISTED_OF_CHUNK) report.rejectedRows.push({ line, reason });
}

export function addAmounts(a: Amounts | null, b: Amounts | null): Amounts | null {
  if (a === null || b === null) return a ?? b;
  return {
    total: a.total + b.total,
    smallest: Math.min(a.smallest, b.smallest),
    largest: Math.max(a.largest, b.largest),
  };
}

function discard(): Writable {
  return new Writable({ objectMode: true, write: (_record, _encoding, done) => done() });
}
