import type { FireTimes } from './fire-times.js';

/** What becomes of fires whose time passed while nobody could send them. @publicApi */
export type MissedPolicy = 'run-once' | 'skip' | 'all';

/** Fires that are sent together. @internal */
export const MOST_TOGETHER = 200;
/** Until how much later (ms) a fire is not missed yet for `skip`: a look that was put off by a busy machine is no outage. */
const ON_TIME = 60_000;
/** Missed times that are counted one by one. */
const MOST_COUNTED = 10_000;

/** @internal */
export interface DueFires {
  /** The nominal times that are to be sent, in order. */
  readonly fires: readonly number[];
  /** How many of those before are not made up for. */
  readonly missed: number;
  /** The last nominal time that is settled by this; undefined when none is due. */
  readonly until: number | undefined;
  /** More is due after that. */
  readonly hasMore: boolean;
}

/** How late (ms) a fire may be that is sent. @internal */
export function latest(missed: MissedPolicy, within: number): number {
  return missed === 'skip' ? Math.min(within, ON_TIME) : within;
}

const NOTHING: DueFires = { fires: [], missed: 0, until: undefined, hasMore: false };

/**
 * What is to be sent of the nominal times after `last`.
 *
 * @param within - how old (ms) a fire may be that is made up for.
 * @internal
 */
export function dueFires(
  times: FireTimes,
  { last, now, missed, within }: { last: number; now: number; missed: MissedPolicy; within: number },
): DueFires {
  const newest = times.lastUntil(now);
  if (newest === undefined || newest <= last) return NOTHING;
  if (missed === 'all') return all(times, last, now, within);
  const isWanted = now - newest <= latest(missed, within);
  const passed = times.between(last, newest - 1, MOST_COUNTED).length;
  return { fires: isWanted ? [newest] : [], missed: passed + (isWanted ? 0 : 1), until: newest, hasMore: false };
}

function all(times: FireTimes, last: number, now: number, within: number): DueFires {
  const from = Math.max(last, now - within - 1);
  const tooOld = from > last ? times.between(last, from, MOST_COUNTED).length : 0;
  const fires = times.between(from, now, MOST_TOGETHER);
  const until = fires.at(-1) ?? times.lastUntil(now)!;
  return {
    fires,
    missed: tooOld,
    until,
    hasMore: fires.length === MOST_TOGETHER && (times.after(until) ?? Infinity) <= now,
  };
}
