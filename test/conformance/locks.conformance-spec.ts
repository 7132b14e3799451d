import { InvalidArgumentError, LockBusyError, LockLostError, type HeldLock, type JobsService } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

describe.each(backends)('locks on $name', (backend) => {
  let apps: JobsApp[];
  let jobs: JobsService;
  let keys = 0;

  beforeAll(async () => {
    const options = { namespace: uniqueNamespace(), workers: false };
    // An embedded database has one process only.
    const count = backend.name === 'embedded' ? 1 : 2;
    apps = [];
    for (let n = 0; n < count; n++) apps.push(await startJobsApp({ backend, options }));
    ({ jobs } = apps[0]!);
    await jobs.purge('default');
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
  });

  const newKey = (): string => `key ${++keys} / ä"'`;

  /** Work that holds the lock until it is told to end. */
  async function held(key: string, ttl = '1m'): Promise<{ lock: HeldLock; end: () => void; ended: Promise<string> }> {
    const [entered, open] = [signal<HeldLock>(), signal()];
    const ended = jobs.locks.withLock(key, { ttl }, async (lock) => {
      entered.reach(lock);
      await open.reached;
      return 'done';
    });
    return { lock: await entered.reached, end: () => open.reach(), ended };
  }

  it.each([1, 8, 32])(
    '[I3] lets one at a time do its work, with growing fencing tokens, at concurrency %i',
    async (lanes) => {
      for (const limit of [1, 3]) {
        const key = newKey();
        const tokens: number[] = [];
        let [inside, most, next] = [0, 0, 0];
        const lane = async (): Promise<void> => {
          while (next < 40) {
            const { locks } = apps[next++ % apps.length]!.jobs;
            await locks.withLock(key, { ttl: '1m', limit }, async (lock) => {
              tokens.push(lock.fencingToken);
              most = Math.max(most, ++inside);
              await new Promise(setImmediate);
              inside--;
            });
          }
        };
        await Promise.all(Array.from({ length: lanes }, lane));
        expect(tokens).toHaveLength(40);
        expect(most).toBeLessThanOrEqual(limit);
        if (limit === 1) expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
        expect(new Set(tokens).size).toBe(40);
      }
    },
  );

  it('[I3] gives the lock up when the work has ended, also with an error, and returns what it returned', async () => {
    const key = newKey();
    expect(await jobs.locks.withLock(key, {}, () => 7)).toBe(7);
    await expect(jobs.locks.withLock(key, {}, () => Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
    expect(await jobs.locks.withLock(key, { maxWait: 0 }, async ({ key: same }) => same)).toBe(key);
  });

  it('[I3] holds it for as long as the work takes, many times its ttl', async () => {
    const key = newKey();
    const first = await held(key, '200ms');
    const from = performance.now();
    let isIn = false;
    const second = jobs.locks.withLock(key, {}, () => {
      isIn = true;
    });
    await eventually(() => performance.now() > from + 1_000);
    expect(isIn).toBe(false);
    expect(first.lock.signal.aborted).toBe(false);
    first.end();
    expect(await first.ended).toBe('done');
    await second;
    expect(isIn).toBe(true);
  });

  it('[I3] aborts the signal of a lock that is lost, whose token is older than that of the next holder', async () => {
    const key = newKey();
    const { lock, end, ended } = await held(key, '300ms');
    // What the store does with a place that is not renewed in time.
    const { line, id } = (lock as unknown as { place: { line: never; id: string } }).place;
    await apps[0]!.app.get<QueueBackend>(QUEUE_BACKEND).lines.free(line, id, lock.fencingToken);
    const next = await jobs.locks.withLock(key, {}, ({ fencingToken }) => fencingToken);
    expect(next).toBeGreaterThan(lock.fencingToken);
    await eventually(() => lock.signal.aborted);
    expect(lock.signal.reason).toBeInstanceOf(LockLostError);
    expect(lock.signal.reason).toMatchObject({ key, fencingToken: lock.fencingToken });
    end();
    expect(await ended).toBe('done');
  });

  it("[I3] waits no longer than it should, and then stands in nobody's way", async () => {
    const key = newKey();
    const first = await held(key);
    await expect(jobs.locks.withLock(key, { maxWait: '50ms' }, () => 'never')).rejects.toThrow(LockBusyError);
    const giveUp = new AbortController();
    const given = jobs.locks.withLock(key, { signal: giveUp.signal }, () => 'never');
    const last = jobs.locks.withLock(key, {}, () => 'last');
    giveUp.abort(new RangeError('changed my mind'));
    await expect(given).rejects.toThrow('changed my mind');
    first.end();
    expect(await last).toBe('last');
  });

  it.each([
    ['', {}, /the key of a lock must be text/],
    ['x'.repeat(501), {}, /the key of a lock must be text of 1 to 500/],
    ['key', { ttl: '50ms' }, /the ttl of a lock must be from 100 ms to 7 days/],
    ['key', { ttl: '8d' }, /the ttl of a lock must be from 100 ms to 7 days/],
    ['key', { ttl: 'soon' }, /the ttl of a lock must be a duration/],
    ['key', { limit: 0 }, /the limit of a lock must be a whole number from 1/],
    ['key', { maxWait: -1 }, /the maxWait of a lock must be a duration/],
    ['key', { tll: '1m' }, /the options of a lock must be of ttl, limit, maxWait, signal only, but is "tll"/],
    ['key', { signal: {} }, /the signal of a lock must be an AbortSignal/],
    ['key', '1m', /the options of a lock must be an object/],
  ])('[I3] refuses %p with %p', async (key, options, message) => {
    const locked = jobs.locks.withLock(key, options as object, () => 'never');
    await expect(locked).rejects.toThrow(InvalidArgumentError);
    await expect(locked).rejects.toThrow(message);
  });
});
