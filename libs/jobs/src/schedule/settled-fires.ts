import { RUNS_KEPT, type FiredRun, type ScheduleState } from './schedule-record.js';

/** What a look at a schedule has sent, and decided of the times that were due. @internal */
export interface SettledFires {
  /** The last of these times. */
  readonly until: number;
  /** In the order of their times. */
  readonly runs: readonly FiredRun[];
  readonly missed: number;
  readonly skipped: number;
}

/**
 * The state after it; the same object when that is there already, since two looked at the same time. A schedule that was
 * given other times meanwhile, or was resumed, has settled all of them, but does not know of the runs.
 *
 * @internal
 */
export function settle(state: ScheduleState, { until, runs, missed, skipped }: SettledFires): ScheduleState {
  const isAhead = (state.last ?? state.since) >= until;
  const newest = runs.at(-1);
  if (isAhead && (!newest || state.runs.some(({ id }) => id === newest.id))) return state;
  return {
    ...state,
    ...(!isAhead && { last: until, missed: state.missed + missed, skipped: state.skipped + skipped }),
    sent: state.sent + runs.length,
    ...(newest && { lag: newest.sentAt - newest.at }),
    runs: [...runs.toReversed(), ...state.runs].slice(0, RUNS_KEPT),
  };
}
