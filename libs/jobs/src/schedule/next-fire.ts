import { FireTimes } from './fire-times.js';
import type { ScheduleRecord, ScheduleSpec } from './schedule-record.js';

/** @internal */
export function timesOf({ timing, start, end }: ScheduleSpec): FireTimes {
  return new FireTimes(timing, { start, end });
}

/** When a schedule fires next; undefined when it does not. @internal */
export function nextFire({ spec, state }: ScheduleRecord): number | undefined {
  if (state.paused || state.undeclared !== undefined || state.sent >= (spec.maxRuns ?? Infinity)) return undefined;
  return timesOf(spec).after(state.last ?? state.since);
}
