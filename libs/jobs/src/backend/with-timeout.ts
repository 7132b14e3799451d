import { BackendUnavailableError } from './backend.errors.js';

/** Settles as `work` does, or rejects with what `onTimeout` makes when `timeout` ms have passed first. @internal */
export async function withTimeout<T>(work: Promise<T>, timeout: number, onTimeout: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onTimeout()), timeout);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the store answered; rejects with {@link BackendUnavailableError}, whatever kept it from it. @internal */
export async function pingWithin(timeout: number, location: string, ping: () => Promise<unknown>): Promise<void> {
  const unavailable = (cause?: unknown): Error =>
    new BackendUnavailableError(location, timeout, cause === undefined ? undefined : { cause });
  await withTimeout(
    ping().catch((error: unknown) => {
      throw unavailable(error);
    }),
    timeout,
    unavailable,
  );
}
