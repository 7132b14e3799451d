import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { BackendUnavailableError } from './backend.errors.js';

/** Settles as `work` does, or rejects with what `onTimeout` makes when `timeout` ms have passed first. @internal */
export function withTimeout<T>(work: Promise<T>, timeout: number, onTimeout: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onTimeout()), timeout);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Resolves when the store answered; rejects with {@link BackendUnavailableError}, whatever kept it from it. @internal */
export async function pingWithin(timeout: number, location: string, ping: () => Promise<unknown>): Promise<void> {
  const answered = ping().catch((error: unknown) => {
    throw error instanceof BackendUnavailableError ? error : new BackendUnavailableError(location, timeout, error);
  });
  await withTimeout(answered, timeout, () => new BackendUnavailableError(location, timeout));
}

/** Whether `work` was done within `timeout` ms; what it fails with is nobody's concern any more. @internal */
export async function settlesWithin(timeout: number, work: Promise<unknown>): Promise<boolean> {
  const settled = work.then(
    () => true,
    () => true,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    // Keeps the process alive: without a connection nothing else may, and the shutdown would end in the middle.
    timer = setTimeout(resolve, Math.max(timeout, 0), false);
  });
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether `work` was done, and well, within `timeout` ms. Does not keep the process alive.
 *
 * @internal
 */
export async function succeedsWithin(timeout: number, work: Promise<unknown>): Promise<boolean> {
  let state: 'open' | 'done' | 'failed' = 'open';
  const settled = work.then(
    () => void (state = 'done'),
    () => void (state = 'failed'),
  );
  const ended = new AbortController();
  const { signal } = ended;
  await Promise.race([settled, sleep(timeout, undefined, { signal, ref: false }).catch(() => undefined)]);
  ended.abort();
  // After a long time without a turn of the event loop the timer is served before the socket that has the answer.
  if ((state as string) === 'open') await setImmediate();
  return (state as string) === 'done';
}
