import type { ResolvedTimeLimit } from './time-limit.js';

/** An attempt whose time is watched. @internal */
export interface TimedAttempt {
  /** Called when the soft limit has passed. */
  passSoftLimit(limit: number): void;
  /** Called when the hard limit has passed. */
  passHardLimit(limit: number): void;
}

/** What is remembered of a watched attempt; to be handed back. @internal */
export interface Watch {
  readonly attempt: TimedAttempt;
  readonly limit: ResolvedTimeLimit;
  /** Undefined when nothing is waited for any more. */
  lane: Lane | undefined;
  deadline: number;
  previous: Watch | undefined;
  next: Watch | undefined;
}

/**
 * Attempts that wait equally long, so that they stand in the order of their deadlines. There is at most one timer, for
 * the first; one that leaves does not touch the timer, which looks at what is left when it fires.
 *
 * A list that is linked by hand: adding to a Set and deleting from it takes four times as long.
 */
class Lane {
  private first: Watch | undefined;
  private last: Watch | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly wait: number,
    private readonly pass: (watch: Watch) => void,
  ) {}

  add(watch: Watch, now: number): void {
    const { last } = this;
    watch.lane = this;
    watch.deadline = now + this.wait;
    watch.previous = last;
    watch.next = undefined;
    if (last) last.next = watch;
    else this.first = watch;
    this.last = watch;
    this.timer ??= this.after(this.wait);
  }

  delete(watch: Watch): void {
    const { previous, next } = watch;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.last = previous;
    // A dead one that the garbage collector has not found yet would keep all that came after it.
    watch.previous = watch.next = watch.lane = undefined;
  }

  private after(wait: number): NodeJS.Timeout {
    // Rounded up, since a timer may fire some part of a millisecond early.
    return setTimeout(() => this.look(), Math.ceil(wait)).unref();
  }

  private look(): void {
    this.timer = undefined;
    const now = performance.now();
    for (let watch = this.first; watch && watch.deadline <= now; watch = this.first) {
      this.delete(watch);
      this.pass(watch);
    }
    // What was passed may have added to this lane, and so set the timer already.
    if (this.first) this.timer ??= this.after(this.first.deadline - now);
  }
}

/**
 * Tells attempts when their time limits pass. A job that ends in time costs a place in a list and none of Node's timers,
 * of which there is one for each different limit.
 *
 * @internal
 */
export class Deadlines {
  private readonly softLanes = new Map<number, Lane>();
  private readonly hardLanes = new Map<number, Lane>();

  /** Undefined when there is no limit. */
  watch(attempt: TimedAttempt, limit: ResolvedTimeLimit): Watch | undefined {
    const { soft, hard } = limit;
    const lane = soft !== undefined ? this.softLane(soft) : hard === undefined ? undefined : this.hardLane(hard);
    if (!lane) return undefined;
    const watch: Watch = { attempt, limit, lane, deadline: 0, previous: undefined, next: undefined };
    lane.add(watch, performance.now());
    return watch;
  }

  forget(watch: Watch | undefined): void {
    watch?.lane?.delete(watch);
  }

  private softLane(wait: number): Lane {
    return laneIn(this.softLanes, wait, (watch) => {
      const { soft, hard } = watch.limit;
      // From now, however late that is: a lane holds only those that came in the order of their deadlines.
      if (hard !== undefined) this.hardLane(hard - soft!).add(watch, performance.now());
      watch.attempt.passSoftLimit(soft!);
    });
  }

  private hardLane(wait: number): Lane {
    return laneIn(this.hardLanes, wait, ({ attempt, limit }) => attempt.passHardLimit(limit.hard!));
  }
}

function laneIn(lanes: Map<number, Lane>, wait: number, pass: (watch: Watch) => void): Lane {
  let lane = lanes.get(wait);
  if (!lane) {
    lane = new Lane(wait, pass);
    lanes.set(wait, lane);
  }
  return lane;
}
