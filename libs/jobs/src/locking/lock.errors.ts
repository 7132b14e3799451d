/**
 * The reason of a lock's `signal` when somebody else may have it by now: it could not be renewed in time, because the
 * process was frozen or cut off from the store.
 *
 * @publicApi
 */
export class LockLostError extends Error {
  override readonly name = 'LockLostError';

  constructor(
    readonly key: string,
    readonly fencingToken: number,
  ) {
    super(
      `nestjs-jobs: the lock "${key}" is lost: it was not renewed within its ttl, and somebody else may hold it now. ` +
        'Stop; what checks fencing tokens refuses the old one.',
    );
  }
}

/** Others held the lock for as long as it was waited for. Nothing was done. @publicApi */
export class LockBusyError extends Error {
  override readonly name = 'LockBusyError';

  constructor(
    readonly key: string,
    maxWait: number,
  ) {
    super(`nestjs-jobs: the lock "${key}" was not free within ${maxWait} ms. Try later, or wait for longer (maxWait).`);
  }
}
