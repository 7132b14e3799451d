import type { Granted, Limited } from './limits.js';

/** What a store says of a take, in whole microseconds of its clock. @internal */
export interface LimitAnswer {
  readonly isGranted: boolean;
  readonly now: number;
  readonly at: number;
  /** 0 when no time was reserved. */
  readonly round: number;
}

/** @internal */
export function readLimitAnswer({ isGranted, now, at, round }: LimitAnswer): Granted | Limited {
  const wait = Math.ceil((at - now) / 1_000);
  if (isGranted) return { kind: 'granted', at: at / 1_000, wait };
  const ticket = round > 0 ? { at: at / 1_000, round } : undefined;
  return { kind: 'waits', ticket, wait: Math.max(wait, 1) };
}

/** Of a {@link Ticket}, as the store said it. @internal */
export function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1_000);
}
