import { types } from 'node:util';
import type { PgliteColumn, PgliteRow } from './pglite-protocol.js';

type Parse = (text: string) => unknown;

/**
 * By object id, how node-postgres would give a value that the thread sends as Postgres' text. Parsed on this side of
 * the thread, where a `Date` is an instance of this realm's class, under Jest too, and JSON costs least.
 */
const PARSERS = new Map<number, Parse>([
  [17, (hex) => Buffer.from(hex.slice(2), 'hex')],
  [114, (json) => JSON.parse(json)],
  [3802, (json) => JSON.parse(json)],
  [1082, (date) => parseTime(date, `${date}T00:00:00`)],
  [1114, (timestamp) => parseTime(timestamp, timestamp)],
  [1184, (timestamp) => parseTime(timestamp, timestamp)],
]);

/** Array types of the above: PGlite splits them, and leaves the elements as text. */
const ELEMENT_TYPES = new Map([
  [1001, 17],
  [199, 114],
  [3807, 3802],
  [1182, 1082],
  [1115, 1114],
  [1185, 1184],
]);

/** Parses, in place, what the thread left as text. @internal */
export function parseRows(rows: PgliteRow[], columns: readonly PgliteColumn[]): PgliteRow[] {
  for (const { name, type } of columns) {
    const parse = PARSERS.get(ELEMENT_TYPES.get(type) ?? type);
    if (!parse) continue;
    for (const row of rows) row[name] = parseValue(row[name], parse);
  }
  return rows;
}

/**
 * What node-postgres would send for a value. Arrays go as they are: PGlite writes them as the type of the parameter
 * asks for.
 *
 * @internal
 */
export function toParameter(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (types.isDate(value)) return value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return value;
  return typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | boolean | bigint}`;
}

function parseValue(value: unknown, parse: Parse): unknown {
  if (Array.isArray(value)) return value.map((element) => parseValue(element, parse));
  return typeof value === 'string' ? parse(value) : value;
}

function parseTime(text: string, iso: string): Date | number {
  if (text === 'infinity') return Infinity;
  if (text === '-infinity') return -Infinity;
  return new Date(iso);
}
