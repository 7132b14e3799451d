import ms from 'ms';

import { parseDuration } from '../options/option-reader.js';

const SHORT = 24 * 3_600_000;

/** A time of the store for people: in their zone, and how long ago or how soon when that is within a day. @internal */
export function timeOf(iso: string | undefined, now = Date.now()): string | undefined {
  if (iso === undefined) return undefined;
  const at = new Date(iso);
  const distance = at.getTime() - now;
  if (Number.isNaN(distance)) return iso;
  const shown = localTime(at);
  if (Math.abs(distance) >= SHORT) return shown;
  return distance <= 0 ? `${shown} (${durationOf(-distance)} ago)` : `${shown} (in ${durationOf(distance)})`;
}

/** How long ago, where the time itself takes too much room. @internal */
export function ageOf(iso: string | undefined, now = Date.now()): string | undefined {
  return iso === undefined ? undefined : durationOf(Math.max(0, now - new Date(iso).getTime()));
}

/** @internal */
export function durationOf(milliseconds: number): string {
  return ms(Math.round(milliseconds));
}

/** `2026-11-22 23:59:01`, as no locale would turn day and month around. */
function localTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`;
}

/** `1 job`, `2 jobs`. @internal */
export function counted(count: number, what: string, many = `${what}s`): string {
  return `${count} ${count === 1 ? what : many}`;
}

/** A time as the command line gives it: as it is, or so long ago. @internal */
export function timeFrom(text: string, now = Date.now()): string {
  const ago = /^\d+(\.\d+)?\s*[a-z]+$/i.test(text) ? parseDuration(text) : undefined;
  return ago === undefined ? text : new Date(now - ago).toISOString();
}
