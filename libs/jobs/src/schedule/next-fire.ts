import { FireTimes } from './fire-times.js';
import type { ScheduleRecord, ScheduleSpec } from './schedule-record.js';

/** One look asks several times. */
const known = new WeakMap<ScheduleSpec, FireTimes>();

/** @internal */
export function timesOf(spec: ScheduleSpec): FireTimes {
  let times = known.get(spec);
  if (!times) known.set(spec, (times = new FireTimes(spec.timing, { start: spec.start, end: spec.end })));
  return times;
}

/** When a schedule fires next; undefined when it does not. @internal */
export function nextFire({ spec, state }: ScheduleRecord): number | undefined {
  if (state.paused || state.undeclared !== undefined || state.sent >= (spec.maxRuns ?? Infinity)) return undefined;
  return timesOf(spec).after(state.last ?? state.since);
}
