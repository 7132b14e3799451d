import { AsyncLocalStorage } from 'node:async_hooks';

// Not marked as internal: the class JobContext says in public that it implements it.
/** What the code below a task's method may know of the job that it runs in. */
export interface CurrentJob {
  readonly id: string;
  readonly rootId: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether its attempt has ended, and what still runs of it holds no slot. */
  readonly ended?: boolean;
  /** Something to wait for when it is not certain that its process still has the job. @internal */
  claimInDoubt?(): Promise<void> | undefined;
  /** Throws when the attempt was ended while its code ran on. @internal */
  assertNotCutOff?(method: string): void;
}

const storage = new AsyncLocalStorage<CurrentJob | undefined>();

/** Of the calling code, at any depth; undefined outside of tasks. @internal */
export function currentJob(): CurrentJob | undefined {
  return storage.getStore();
}

/** @internal */
export function runAsJob<T>(job: CurrentJob, work: () => T): T {
  return storage.run(job, work);
}

/** For work that outlives the attempt that starts it: what else the caller's context carries stays. @internal */
export function runOutsideOfJobs<T>(work: () => T): T {
  return storage.run(undefined, work);
}

/** Of the job that the calling code runs in: resolves when it is certain whose job it is. Undefined when it is already. @internal */
export function claimInDoubt(): Promise<void> | undefined {
  return currentJob()?.claimInDoubt?.();
}
