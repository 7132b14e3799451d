import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, RateLimitedError, type JobsService } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const HOUR = 3_600_000;

describe.each(backends)('rate limits on $name', (backend) => {
  let apps: JobsApp[];
  let jobs: JobsService;
  /** Of another process, where the backend has such. */
  let others: JobsService;
  let names = 0;

  beforeAll(async () => {
    const options = { namespace: uniqueNamespace(), workers: false };
    const count = backend.name === 'embedded' ? 1 : 2;
    apps = [];
    for (let n = 0; n < count; n++) apps.push(await startJobsApp({ backend, options }));
    ({ jobs } = apps[0]!);
    others = apps.at(-1)!.jobs;
    await jobs.purge('default');
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
  });

  const newName = (): string => `api ${++names} / ä"'`;

  async function refusal(
    service: JobsService,
    options: Parameters<JobsService['limits']['consume']>[0],
  ): Promise<RateLimitedError> {
    const error = await service.limits.consume({ maxWait: 0, ...options }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RateLimitedError);
    return error as RateLimitedError;
  }

  it('[L1] [L4] lets through what the limit has, in all processes together and for each key', async () => {
    const name = newName();
    await jobs.limits.consume({ name, limit: '2/h' });
    await others.limits.consume({ name, limit: '2/h' });
    const error = await refusal(jobs, { name, limit: '2/h' });
    expect(error).toMatchObject({ limit: name, key: '' });
    expect(error.retryAfter).toBeGreaterThan(HOUR / 4);
    expect(error.retryAfter).toBeLessThanOrEqual(HOUR / 2);
    await jobs.limits.consume({ name, limit: '2/h', key: 'acme', cost: 2, maxWait: 0 });
    expect(await refusal(others, { name, limit: '2/h', key: 'acme' })).toMatchObject({ key: 'acme' });
  });

  it.each([1, 8, 32])('[L3] lets nobody through too early, at concurrency %i', async (lanes) => {
    const name = newName();
    const from = performance.now();
    let left = 50;
    const lane = async (n: number): Promise<void> => {
      const { limits } = n % 2 === 0 ? jobs : others;
      while (left-- > 0) await limits.consume({ name, limit: '100/s', burst: 5 });
    };
    await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
    // 45 that were not in the bucket; timers are right to the millisecond.
    expect(performance.now() - from).toBeGreaterThanOrEqual(450 - 2);
  });

  it('[L3] keeps nothing for who waits no longer', async () => {
    const name = newName();
    const limit = '1/h';
    await jobs.limits.consume({ name, limit });
    const before = (await refusal(jobs, { name, limit, maxWait: '30m' })).retryAfter;
    const giveUp = new AbortController();
    const given = jobs.limits.consume({ name, limit, signal: giveUp.signal });
    const { limits } = apps[0]!.app.get<QueueBackend>(QUEUE_BACKEND);
    const rule = { limit: 1, period: HOUR, burst: 1, algorithm: 'token-bucket' } as const;
    const isReserved = async (): Promise<boolean> => {
      const taken = await limits.take({ name, key: '' }, rule, { cost: 1, maxWait: 0 });
      return taken.kind === 'waits' && taken.wait > HOUR;
    };
    while (!(await isReserved()));
    giveUp.abort(new RangeError('changed my mind'));
    await expect(given).rejects.toThrow('changed my mind');
    expect((await refusal(jobs, { name, limit })).retryAfter).toBeLessThanOrEqual(before);
    await expect(jobs.limits.consume({ name, limit, signal: giveUp.signal })).rejects.toThrow('changed my mind');
  });

  it('[L2] is changed for all processes at once, and as code has it after a reset', async () => {
    const name = newName();
    expect(await jobs.limits.get(name)).toBeUndefined();
    await others.limits.set(name, { limit: '3/h', algorithm: 'sliding-window' });
    expect(await jobs.limits.get(name)).toEqual({
      name,
      limit: '3/h',
      burst: 3,
      algorithm: 'sliding-window',
      isOverridden: true,
      factor: 1,
    });
    const limit = '1/h';
    for (let n = 0; n < 3; n++) await jobs.limits.consume({ name, limit, maxWait: 0 });
    await refusal(jobs, { name, limit });
    expect((await jobs.limits.list()).map((state) => state.name)).toContain(name);
    await others.limits.reset(name);
    const declared = { name, limit, burst: 1, algorithm: 'token-bucket', isOverridden: false, factor: 1 };
    expect(await jobs.limits.get(name)).toEqual(declared);
    expect(await jobs.limits.list()).toContainEqual(declared);
    // Without a limit, what this process declared before.
    await jobs.limits.consume({ name, key: 'other', maxWait: 0 });
    await refusal(jobs, { name, key: 'other' });
  });

  it('[L2] keeps the burst that code gives', async () => {
    const name = newName();
    await jobs.limits.consume({ name, limit: '100/h', burst: 1 });
    await jobs.limits.set(name, '50/h');
    expect(await jobs.limits.get(name)).toMatchObject({ limit: '50/h', burst: 1 });
    await jobs.limits.consume({ name, key: 'other', maxWait: 0 });
    await refusal(jobs, { name, key: 'other' });
  });

  it('[L2] reduces and restores all limits', async () => {
    const name = newName();
    await others.limits.reduceAll(0.5);
    try {
      await jobs.limits.consume({ name, limit: '4/h', cost: 2, maxWait: 0 });
      await refusal(jobs, { name });
      expect(await jobs.limits.get(name)).toMatchObject({ limit: '4/h', isOverridden: false, factor: 0.5 });
    } finally {
      await others.limits.restore();
    }
    expect(await jobs.limits.get(name)).toMatchObject({ factor: 1 });
    await jobs.limits.consume({ name, key: 'other', cost: 4, maxWait: 0 });
  });

  it('[L4] pauses one key, or those without one', async () => {
    const name = newName();
    const limit = '100/h';
    await jobs.limits.pause(name, '1h', { key: 'acme' });
    expect((await refusal(others, { name, limit, key: 'acme' })).retryAfter).toBeGreaterThan(HOUR / 2);
    await others.limits.consume({ name, limit, maxWait: 0 });
    await jobs.limits.pause(name, '1h');
    await refusal(others, { name, limit });
    await others.limits.consume({ name, limit, key: 'other', maxWait: 0 });
  });

  it('[L2] keeps over a restart what was changed, paused and used', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'limits-'));
    const connection = () => (backend.name === 'embedded' ? embeddedIn(dataDir) : backend.connection());
    const settings = { backend: { ...backend, connection }, options: { namespace: uniqueNamespace(), workers: false } };
    const limit = '100/h';
    try {
      let app = await startJobsApp(settings);
      await app.jobs.limits.set('api', '2/h');
      await app.jobs.limits.reduceAll(0.5);
      await app.jobs.limits.pause('api', '1h', { key: 'acme' });
      await app.jobs.limits.consume({ name: 'api', limit });
      await app.close();
      app = await startJobsApp(settings);
      expect(await app.jobs.limits.get('api')).toMatchObject({ limit: '2/h', isOverridden: true, factor: 0.5 });
      await refusal(app.jobs, { name: 'api', limit });
      await refusal(app.jobs, { name: 'api', limit, key: 'acme' });
      await app.jobs.limits.consume({ name: 'api', limit, key: 'other', maxWait: 0 });
      await app.close();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it.each([
    ['mails', /what is consumed of a limit must be an object/],
    [{ name: '', limit: '1/s' }, /the name of a limit must be text of 1 to 200/],
    [{ name: 'x'.repeat(201), limit: '1/s' }, /the name of a limit must be text of 1 to 200/],
    [{ name: 'nobody knows' }, /the limit "nobody knows" must be given.*nothing in this process declares it/],
    [{ name: 'x', burst: 2 }, /the limit "x" must be given with its burst and algorithm/],
    [{ name: 'x', limit: '1/fortnight' }, /the limit "x" must be a number from 1 to 1000000 per/],
    [{ name: 'x', limit: '0/s' }, /the limit "x" must be above zero; jobs.limits.pause/],
    [
      { name: 'x', limit: '5/s', cost: 6 },
      /the cost under the limit "x" must be a whole number from 1 to 5, its burst/,
    ],
    [{ name: 'x', limit: '5/s', key: '' }, /the key of a limit must be text of 1 to 500/],
    [{ name: 'x', limit: '5/s', maxWait: -1 }, /the maxWait of a limit must be a duration/],
    [{ name: 'x', limit: '5/s', signal: {} }, /the signal of a limit must be an AbortSignal/],
    [{ name: 'x', limti: '5/s' }, /must be of name, limit, burst, algorithm, key, cost, maxWait, signal only/],
  ])('[L1] refuses to consume %p', async (options, message) => {
    const consumed = jobs.limits.consume(options as never);
    await expect(consumed).rejects.toThrow(InvalidArgumentError);
    await expect(consumed).rejects.toThrow(message);
  });

  it('[L2] refuses odd changes', async () => {
    const { limits } = jobs;
    for (const refused of [
      limits.set('', '1/s'),
      limits.set('x', '1/fortnight'),
      limits.set('x', { limit: '1/s', burst: 0 }),
      limits.get(''),
      limits.reset(''),
      limits.pause('x', '32d'),
      limits.pause('x', 'soon' as never),
      limits.pause('x', '1s', { key: '' }),
      ...[0, -1, 1.1, NaN, '0.5' as never].map((factor) => limits.reduceAll(factor)),
    ]) {
      await expect(refused).rejects.toThrow(InvalidArgumentError);
    }
    expect(await limits.get('x')).toBeUndefined();
  });
});
