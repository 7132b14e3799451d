/** Whether this is `npm run test:full`: everything at its full size. What `npm test` runs must end within half an hour. */
export const isFull = Boolean(process.env['JOBS_TEST_FULL']);

/** A size that is smaller where time is short. */
export function sized(full: number, short: number): number {
  return isFull ? full : short;
}

/**
 * Whether one of several slow tests runs on this backend. In a short run each of them does on one of the backends, in
 * turn: what differs between backends itself is tested on all of them elsewhere.
 *
 * @param n - which of the tests.
 */
export function runsOn<Backend>(backend: Backend, among: readonly Backend[], n: number): boolean {
  return isFull || n % among.length === among.indexOf(backend);
}

/** `it`, where {@link runsOn} says so. */
export function itIf(runs: boolean, name: string, test: () => Promise<void>, timeout?: number): void {
  if (runs) it(name, test, timeout);
}
