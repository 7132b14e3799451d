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
