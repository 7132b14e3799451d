import { quoted } from '../csv/csv-problem.js';
import type { ImportLayout } from './import.payload.js';

const LONGEST_NAME = 200;
const LONGEST_EMAIL = 254;
const EMAIL = /^[^\s@"<>(),;:]+@[^\s@"<>(),;:]+\.[^\s@"<>(),;:.]+$/;
// With eight digits the cents of all rows that an upload can have add up to a number that is exact.
const AMOUNT = /^[+-]?\d{1,8}(\.\d{1,2})?$/;

export type CheckedRow = { cents: number } | { reason: string };

/** What is wrong is said for a person who has the file open. */
export function checkRow(cells: readonly string[], layout: ImportLayout): CheckedRow {
  if (cells.length !== layout.cells) {
    return { reason: `has ${cells.length} cells, but the header has ${layout.cells}` };
  }
  const [name, email, amount] = [layout.name, layout.email, layout.amount].map((at) => cells[at]!.trim()) as [
    string,
    string,
    string,
  ];
  const reasons: string[] = [];
  if (name === '') reasons.push('name is empty');
  else if (name.length > LONGEST_NAME) reasons.push(`name is longer than ${LONGEST_NAME} characters`);
  if (!EMAIL.test(email) || email.length > LONGEST_EMAIL) reasons.push(`email ${quoted(email)} is not an address`);
  if (!AMOUNT.test(amount)) reasons.push(`amount ${quoted(amount)} is not a number like 1234.56`);
  return reasons.length > 0 ? { reason: reasons.join('; ') } : { cents: centsOf(amount) };
}

function centsOf(amount: string): number {
  const [whole = '', fraction = ''] = amount.replace(/^[+-]/, '').split('.');
  const cents = Number(whole) * 100 + Number(fraction.padEnd(2, '0'));
  return amount.startsWith('-') && cents > 0 ? -cents : cents;
}
