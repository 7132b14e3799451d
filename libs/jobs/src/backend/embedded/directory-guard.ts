import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const RETRY_INTERVAL = 20;
/** Older than this, in ms, a guard was left by a process that was killed: the work inside one is synchronous. */
const STALE_AFTER = 10_000;

/**
 * Runs `work` while no other process runs its work under the same guard, a directory that exists meanwhile.
 *
 * @internal
 */
export async function underGuard<T>(guard: string, work: () => T): Promise<T> {
  while (!tryTo('EEXIST', () => mkdirSync(guard))) {
    tryTo('ENOENT', () => removeStale(guard));
    await delay(RETRY_INTERVAL);
  }
  try {
    return work();
  } finally {
    tryTo('ENOENT', () => rmdirSync(guard));
  }
}

function removeStale(guard: string): void {
  const seen = statSync(guard);
  if (Date.now() - seen.mtimeMs < STALE_AFTER) return;
  const aside = `${guard}.${randomUUID()}`;
  renameSync(guard, aside);
  // Another newcomer was faster, and what was renamed is its new guard: give it back.
  if (statSync(aside).ino !== seen.ino) renameSync(aside, guard);
  else rmdirSync(aside);
}

/** Whether `action` was done, and not refused with `code`. */
function tryTo(code: string, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}
