import { CsvError } from 'csv-parse';
import { InputProblem } from './input-problem.js';

const LONGEST_QUOTE = 40;

export function quoted(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return JSON.stringify(line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE)}…` : line);
}

/** Says what csv-parse found in words that help the person who has the file open. */
export function csvProblem(error: CsvError, line: number, expectedCells?: number): InputProblem {
  return new InputProblem('CSV_INVALID', explain(error, line, expectedCells));
}

function explain(error: CsvError, line: number, expectedCells: number | undefined): string {
  switch (error.code) {
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH': {
      const record: unknown = error['record'];
      const cells = Array.isArray(record) ? record.length : 'another number of';
      return `Line ${line} has ${cells} cells but the header has ${expectedCells}. Add or remove cells in that line, and put quotes around values that contain the separator.`;
    }
    case 'CSV_QUOTE_NOT_CLOSED':
    case 'CSV_MAX_RECORD_SIZE':
      return `A quoted value that was opened before or on line ${line} is never closed. Close it with a double quote; a double quote inside a value is written twice ("").`;
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'INVALID_OPENING_QUOTE':
      return `Line ${line} has a double quote in the wrong place. Put quotes around the whole value and write quotes inside it twice ("").`;
    default:
      return `Line ${line} cannot be read as CSV: ${error.message}`;
  }
}
