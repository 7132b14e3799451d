import { randomUUID } from 'node:crypto';

/** The queue stands in the id, so that finding a job never means searching the queues. */
const JOB_ID = /^([a-z][a-z0-9-]*)_([A-Za-z0-9._-]{1,128})$/;

/** What a caller may name a job in its queue. @internal */
export const CALLERS_ID = /^[A-Za-z0-9._-]{1,128}$/;
/** @internal */
export const CALLERS_ID_RULE = '1 to 128 letters, digits, dots, dashes and underscores';

/** `<queue>_<uuid of version 7>`: cannot be guessed, and sorts by time within its queue. @internal */
export function newJobId(queue: string): string {
  const time = Date.now().toString(16).padStart(12, '0');
  // Node keeps random numbers in store for this one, where packages that make UUIDs ask the kernel for each.
  const random = randomUUID().slice(15);
  return `${queue}_${time.slice(0, 8)}-${time.slice(8)}-7${random}`;
}

/** When (ms since the epoch) an id of {@link newJobId} was made; undefined for any other. @internal */
export function madeAt(id: string): number | undefined {
  const [, high, low] = /_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.exec(id) ?? [];
  return high === undefined ? undefined : Number.parseInt(high + low!, 16);
}

/** @internal */
export function callersJobId(queue: string, id: string): string {
  return `${queue}_${id}`;
}

/** The queue of a well-formed id; undefined for anything else. @internal */
export function queueOfJobId(id: string): string | undefined {
  return JOB_ID.exec(id)?.[1];
}
