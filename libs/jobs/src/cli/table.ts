import { printable, widthOf } from './printable.js';

/** @internal */
export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number | undefined;
  /** @default 'left' */
  readonly align?: 'left' | 'right';
}

const GAP = '  ';
const ABSENT = '-';
const BOLD = '\u001b[1m';
const NOT_BOLD = '\u001b[22m';

/** Rows under their titles, each column as wide as its widest cell. @internal */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], hasColour: boolean): string {
  const titles = columns.map(({ title }) => title.toUpperCase());
  const cells = rows.map((row) => columns.map(({ of }) => cellOf(of(row))));
  const widths = titles.map((title, n) => Math.max(...[title, ...cells.map((line) => line[n]!)].map(widthOf)));
  const lineOf = (line: readonly string[]): string =>
    line
      .map((cell, n) => pad(cell, widths[n]!, columns[n]!.align))
      .join(GAP)
      .trimEnd();
  const head = lineOf(titles);
  return [hasColour ? BOLD + head + NOT_BOLD : head, ...cells.map(lineOf)].join('\n');
}

/** One thing, a line for each of what is known of it. @internal */
export function listOf(fields: readonly (readonly [title: string, value: string | number | undefined])[]): string {
  const known = fields.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...known.map(([title]) => widthOf(title)));
  return known.map(([title, value]) => `${pad(title, width)}${GAP}${printable(String(value))}`).join('\n');
}

/** @internal */
export function clipped(text: string, longest: number): string {
  const characters = Array.from(text);
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : text;
}

function cellOf(value: string | number | undefined): string {
  return value === undefined || value === '' ? ABSENT : printable(String(value));
}

function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? space + text : text + space;
}
