import type { HeldPlace } from '../parking/held-place.js';
import { LockLostError } from './lock.errors.js';

/** A lock while it is held. @publicApi */
export class HeldLock {
  private aborting: AbortController | undefined;
  private lost: LockLostError | undefined;

  /** @internal */
  constructor(
    readonly key: string,
    private readonly place: HeldPlace,
  ) {
    const lose = (): void => {
      this.lost = new LockLostError(key, place.fencingToken);
      this.aborting?.abort(this.lost);
    };
    place.onLost = lose;
  }

  /**
   * Larger than that of every lock before it, in the whole namespace. A resource that remembers the largest one it has
   * seen, and refuses smaller ones, is never written by an old holder: a lock alone cannot promise that, since a process
   * may be frozen and go on later, as if it still had it.
   */
  get fencingToken(): number {
    return this.place.fencingToken;
  }

  /** Aborted with {@link LockLostError} when the lock is lost: whoever holds it should stop. */
  get signal(): AbortSignal {
    if (!this.aborting) {
      this.aborting = new AbortController();
      if (this.lost) this.aborting.abort(this.lost);
    }
    return this.aborting.signal;
  }
}
