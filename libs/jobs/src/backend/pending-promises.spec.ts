import { forgetSettledPromises } from './pending-promises.js';

interface Pending extends Iterable<Promise<unknown>> {
  readonly size: number;
  add(promise: Promise<unknown>): unknown;
  delete(promise: Promise<unknown>): unknown;
}

/** What a worker has when its main loop begins with that. */
function begun(pending: unknown): Pending {
  const worker: { mainLoopQueue: { pending: unknown } | null } = { mainLoopQueue: null };
  forgetSettledPromises(worker);
  worker.mainLoopQueue = { pending };
  return worker.mainLoopQueue.pending as Pending;
}

it('keeps promises in something else than a Set, which does the same', () => {
  const pending = begun(new Set());
  expect(pending).not.toBeInstanceOf(Set);
  const promises = Array.from({ length: 5 }, (_, n) => Promise.resolve(n));
  for (const promise of promises) pending.add(promise);
  expect([pending.size, [...pending]]).toEqual([5, promises]);
  for (const n of [1, 4, 0, 0]) pending.delete(promises[n]!);
  pending.delete(Promise.resolve('never added'));
  expect(pending.size).toBe(2);
  expect(new Set(pending)).toEqual(new Set([promises[2], promises[3]]));
  pending.delete(promises[2]!);
  pending.delete(promises[3]!);
  expect([pending.size, [...pending]]).toEqual([0, []]);
});

it('leaves alone what it does not know', () => {
  const inUse = new Set([Promise.resolve()]);
  expect(begun(inUse)).toBe(inUse);
  const odd = { push() {} };
  expect(begun(odd)).toBe(odd);
  const worker: { mainLoopQueue: object | null } = { mainLoopQueue: {} };
  forgetSettledPromises(worker);
  worker.mainLoopQueue = null;
  expect(worker.mainLoopQueue).toBeNull();
});
