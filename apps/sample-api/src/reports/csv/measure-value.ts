import { InputProblem } from '../../csv/input-problem.js';
import { quoted } from '../../csv/csv-problem.js';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Stricter than Number(), which also takes '', '0x10' and 'Infinity'. */
export function toNumber(text: string): number | undefined {
  // Adding zero turns -0 into 0, which people expect to see.
  const value = NUMBER.test(text) ? Number(text) + 0 : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

export function notNumeric(text: string, column: string, line: number): InputProblem {
  return new InputProblem(
    'VALUE_NOT_NUMERIC',
    `The value ${quoted(text)} in the column ${quoted(column)} on line ${line} is not a number. ${advice(text)}`,
  );
}

function advice(text: string): string {
  if (/^[+-]?\d+,\d+$/.test(text)) {
    return 'Write decimals with a point (3.14).';
  }
  if (/^[+-]?\d{1,3}([,'\s]\d{3})+(\.\d+)?$/.test(text)) {
    return 'Write thousands without a separator (1234567).';
  }
  return 'Correct it, or leave the cell empty to have the row skipped.';
}
