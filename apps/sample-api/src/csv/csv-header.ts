import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { InputProblem } from './input-problem.js';
import { csvProblem, quoted } from './csv-problem.js';

const HEADER_BYTES = 64 * 1024;
const DELIMITERS = [',', ';', '\t'] as const;
const MOST_COLUMNS_LISTED = 50;

export type Delimiter = (typeof DELIMITERS)[number];

export interface CsvHeader {
  delimiter: Delimiter;
  columns: string[];
}

/** Reads the first line and finds out which delimiter it uses: the one under which the wanted columns exist. */
export async function readHeader(path: string, wanted: readonly string[]): Promise<CsvHeader> {
  const start = await readStart(path);
  refuseUnreadable(start);
  const candidates = splitHeader(start);
  const matching = candidates.find(({ columns }) => wanted.every((name) => columns.includes(name.trim())));
  const widest = candidates.reduce((best, next) => (next.columns.length > best.columns.length ? next : best));
  const header = matching ?? widest;
  if (header.columns.length === 0) {
    throw new InputProblem(
      'FILE_EMPTY',
      'The file has only blank lines. Send a CSV file with a header line and at least one row.',
    );
  }
  return header;
}

export function columnIndex({ columns }: CsvHeader, name: string, use = name): number {
  const index = columns.indexOf(name.trim());
  if (index === -1) {
    throw new InputProblem(
      'COLUMN_UNKNOWN',
      `There is no column ${quoted(name)}${use === name ? '' : ` to use as ${use}`}. The columns are: ${listColumns(columns)}.`,
    );
  }
  if (columns.lastIndexOf(name.trim()) !== index) {
    throw new InputProblem(
      'CSV_INVALID',
      `The header has the column ${quoted(name)} more than once. Rename one of them so that ${use} is clear.`,
    );
  }
  return index;
}

function listColumns(columns: string[]): string {
  const listed = columns
    .slice(0, MOST_COLUMNS_LISTED)
    .map((column) => (column === '' ? '(no name)' : quoted(column).slice(1, -1)));
  const more = columns.length - listed.length;
  return more > 0 ? `${listed.join(', ')} and ${more} more` : listed.join(', ');
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function refuseUnreadable(start: Buffer): void {
  if (start.length === 0) {
    throw new InputProblem(
      'FILE_EMPTY',
      'The file is empty (0 bytes). Send a CSV file with a header line and at least one row.',
    );
  }
  if (start.subarray(0, 4).equals(Buffer.from('PK\u0003\u0004'))) {
    throw new InputProblem(
      'CSV_INVALID',
      'This is a spreadsheet or zip file, not CSV. Open it, save it as "CSV UTF-8" and send that file.',
    );
  }
  const firstLineEnd = start.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  if (firstLineEnd === -1 && start.length === HEADER_BYTES) {
    throw new InputProblem(
      'CSV_INVALID',
      'The first line is longer than 64 kB, so it is not a header. Send a CSV file whose first line names the columns.',
    );
  }
  if (!isUtf8(start.subarray(0, firstLineEnd === -1 ? start.length : firstLineEnd))) {
    throw new InputProblem(
      'ENCODING_INVALID',
      'The file is not UTF-8 text: line 1 has bytes that UTF-8 does not allow. Save it again as "CSV UTF-8" and send that file.',
    );
  }
}

function splitHeader(start: Buffer): CsvHeader[] {
  const headers: CsvHeader[] = [];
  let firstProblem: unknown;
  for (const delimiter of DELIMITERS) {
    try {
      const [cells = []] = parse(start, { bom: true, delimiter, skip_empty_lines: true, to: 1 });
      headers.push({ delimiter, columns: cells.map((cell) => cell.trim()) });
    } catch (error) {
      // Quoted names break the rules of CSV under every delimiter but their own.
      firstProblem ??= error instanceof CsvError ? csvProblem(error, 1) : error;
    }
  }
  if (headers.length === 0) {
    throw firstProblem;
  }
  return headers;
}
