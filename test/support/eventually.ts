import { setTimeout as pause } from 'node:timers/promises';

export interface EventuallyOptions {
  /** How long the condition may take, in ms. Default 10 000: generous, since a test that passes does not wait for it. */
  timeout?: number;
  /** Pause between two looks, in ms. Default 50. */
  interval?: number;
}

/**
 * Polls until `check` neither throws nor gives `false` or `null`, and resolves to what it gave. An assertion that
 * returns nothing holds when it does not throw; a search must therefore answer `null`, not `undefined`, for "not yet".
 * Only for conditions in another process, or in a service, that give no event to wait for.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeout = 10_000, interval = 50 }: EventuallyOptions = {},
): Promise<Exclude<T, false | null>> {
  const deadline = performance.now() + timeout;
  for (let looks = 1; ; looks++) {
    const outcome = await look(check, Math.max(deadline - performance.now(), interval));
    if ('value' in outcome) return outcome.value;
    if (performance.now() >= deadline) {
      const reason = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
      const message = `did not hold within ${timeout} ms (looked ${looks} times). Last: ${reason}`;
      throw new Error(message, { cause: outcome.error });
    }
    await pause(interval);
  }
}

type Outcome<T> = { value: Exclude<T, false | null> } | { error: unknown };

/** One look, which must not last longer than what is left: a call to a dead service may never settle. */
async function look<T>(check: () => T | Promise<T>, patience: number): Promise<Outcome<T>> {
  const waited = new AbortController();
  const tooLong = async (): Promise<never> => {
    await pause(patience, undefined, { signal: waited.signal });
    throw new Error(`the check itself did not settle in ${Math.round(patience)} ms`);
  };
  try {
    const value = await Promise.race([(async () => check())(), tooLong()]);
    if (value === false || value === null) return { error: `the check gave ${String(value)}` };
    return { value: value as Exclude<T, false | null> };
  } catch (error) {
    return { error };
  } finally {
    waited.abort();
  }
}
