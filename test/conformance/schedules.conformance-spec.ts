import { Injectable } from '@nestjs/common';
import {
  InvalidScheduleError,
  ScheduleExistsError,
  ScheduleNotFoundError,
  Task,
  task,
  taskContract,
  type JobContext,
  type NewSchedule,
  type ScheduleInfo,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import type { ScheduleRecord, ScheduleSpec } from '../../libs/jobs/src/schedule/schedule-record.js';
import { ScheduleClock } from '../../libs/jobs/src/schedule/schedule-clock.js';
import { ScheduleFires } from '../../libs/jobs/src/schedule/schedule-fires.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const HOUR = 3_600_000;

function ranFor({ schedule }: JobContext) {
  return { at: schedule?.scheduledFor.getTime(), previous: schedule?.previous?.getTime(), by: schedule?.by };
}

const positive: StandardSchemaV1<{ amount: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const amount = (value as { amount?: unknown } | null)?.amount;
      return typeof amount === 'number' && amount > 0
        ? { value: { amount } }
        : { issues: [{ message: 'not positive' }] };
    },
  },
};

@Injectable()
class Charges {
  @Task({ name: 'charge', queue: 'bulk', priority: 7, schema: positive })
  async charge(payload: { amount: number }): Promise<number> {
    return payload.amount;
  }
}

@Injectable()
class Reports {
  readonly ran: (ReturnType<typeof ranFor> & { id: string; payload: unknown })[] = [];
  open = signal();
  running = 0;
  together = 0;

  @Task()
  async make(payload: { user: string }, job: JobContext): Promise<string> {
    this.ran.push({ id: job.id, ...ranFor(job), payload });
    return payload.user;
  }

  @Task({ retry: { attempts: 1 } })
  async slow(payload: { user: string }, job: JobContext): Promise<void> {
    this.together = Math.max(this.together, ++this.running);
    this.ran.push({ id: job.id, ...ranFor(job), payload });
    const aborted = new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    await Promise.race([this.open.reached, aborted]);
    this.running--;
    job.signal.throwIfAborted();
  }
}

const make = task(Reports, 'make');
const charge = task(Charges, 'charge');
const slow = task(Reports, 'slow');

describe.each(backends)('schedules that are made at run time on $name', (backend) => {
  let app: JobsApp;
  let reports: Reports;
  let store: QueueBackend['schedules'];
  beforeAll(async () => {
    app = await startJobsApp({
      backend,
      providers: [Reports, Charges],
      imports: [JobsHealthModule],
      options: { queues: { bulk: {}, hasty: { defaults: { expiresIn: '1h' } } } },
    });
    reports = app.app.get(Reports);
    store = app.app.get<QueueBackend>(QUEUE_BACKEND).schedules;
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    reports.ran.length = 0;
    reports.open = signal();
    reports.together = 0;
  });
  afterEach(async () => {
    reports.open.reach();
    const { schedules } = await app.jobs.schedules.list({ limit: 500 });
    for (const { name } of schedules) await app.jobs.schedules.delete(name);
  });

  const create = (schedule: Partial<NewSchedule<{ user: string }>> & { name: string }): Promise<ScheduleInfo> =>
    app.jobs.schedules.create({ task: make, payload: { user: 'ada' }, cron: '0 6 1 1 *', ...schedule } as NewSchedule);
  const info = async (name: string): Promise<ScheduleInfo> => (await app.jobs.schedules.get(name))!;

  /** As if the fleet had been down since then. */
  async function wasLastLookedAt(name: string, last: number): Promise<void> {
    const { body, version } = (await store.read(name))!;
    const record = JSON.parse(body) as ScheduleRecord;
    const state = { ...record.state, since: last, last };
    expect(await store.write(name, version, JSON.stringify({ ...record, state }), { next: last })).toBe(true);
  }
  const look = (name: string): Promise<unknown> => app.app.get(ScheduleFires, { strict: false }).fire(name);
  const untilRan = async (count: number): Promise<void> => {
    await eventually(() => reports.ran.length === count, { timeout: 30_000 });
  };

  it('[S3] one is stored, shown, and fires', async () => {
    const made = await create({
      name: 'of-ada',
      every: '1s',
      cron: undefined,
      owner: 'ada',
      tags: ['report'],
      description: 'her own',
    });
    expect(made).toMatchObject({
      name: 'of-ada',
      task: 'Reports.make',
      queue: 'default',
      every: 1_000,
      payload: { user: 'ada' },
      overlap: 'allow',
      missed: 'run-once',
      missedWithin: 24 * HOUR,
      owner: 'ada',
      description: 'her own',
      tags: ['report'],
      inCode: false,
      state: 'active',
      sent: 0,
      missedCount: 0,
      skippedCount: 0,
      rearmedCount: 0,
      runs: [],
    });
    await eventually(() => reports.ran.length > 1, { timeout: 30_000 });
    expect(reports.ran[0]!.by).toBe('schedule');
    const now = await info('of-ada');
    expect(now.sent).toBeGreaterThan(0);
    expect(now.lag).toBeGreaterThanOrEqual(0);
    const last = now.runs.at(-1)!;
    expect(last).toEqual({
      id: reports.ran[0]!.id,
      scheduledFor: new Date(reports.ran[0]!.at!).toISOString(),
      sentAt: expect.any(String),
      by: 'schedule',
      state: 'succeeded',
    });
    expect(await app.jobs.schedules.delete('of-ada')).toBe(true);
    expect(await app.jobs.schedules.delete('of-ada')).toBe(false);
    expect(await app.jobs.schedules.get('of-ada')).toBeUndefined();
  });

  it('[S3] the same one again is the same; another one of its name is refused', async () => {
    const made = await create({ name: 'same', cron: '0 6 * * *' });
    expect(await create({ name: 'same', cron: '0 6 * * *' })).toEqual(made);
    await expect(create({ name: 'same', cron: '0 7 * * *' })).rejects.toThrow(ScheduleExistsError);
    await expect(create({ name: 'same', cron: '0 6 * * *', payload: { user: 'bob' } })).rejects.toThrow(
      'there is another schedule "same"',
    );
    const [first, second] = await Promise.all([create({ name: 'twice' }), create({ name: 'twice' })]);
    expect({ ...first, createdAt: '' }).toEqual({ ...second, createdAt: '' });
  });

  it('[S3] one is changed; what is left out stays', async () => {
    const made = await create({
      name: 'changed',
      cron: '0 6 * * *',
      timeZone: 'Europe/Berlin',
      overlap: 'skip',
      owner: 'ada',
    });
    const paid = await app.jobs.schedules.update('changed', { payload: { user: 'bob' } });
    expect(paid).toEqual({ ...made, payload: { user: 'bob' } });
    const retimed = await app.jobs.schedules.update('changed', { cron: '0 7 * * *' });
    expect(retimed).toMatchObject({ cron: '0 7 * * *', timeZone: 'Europe/Berlin', overlap: 'skip', owner: 'ada' });
    const every = await app.jobs.schedules.update('changed', { every: '1h' });
    expect(every).toMatchObject({ every: HOUR });
    expect(every).not.toHaveProperty('cron');
    const rezoned = await app.jobs.schedules.update('changed', { cron: '0 7 * * *', utcOffset: 60 });
    expect(rezoned).toMatchObject({ cron: '0 7 * * *', utcOffset: 60 });
    const zoned = await app.jobs.schedules.update('changed', { timeZone: 'Europe/Berlin', cron: undefined } as never);
    expect(zoned).toMatchObject({ cron: '0 7 * * *', timeZone: 'Europe/Berlin' });
    expect(zoned).not.toHaveProperty('utcOffset');
    expect(await app.jobs.schedules.update('changed', { waitForCompletion: false })).toMatchObject({
      overlap: 'allow',
    });
    expect(await app.jobs.schedules.update('changed', { waitForCompletion: true })).toMatchObject({ overlap: 'skip' });
    await expect(app.jobs.schedules.update('none', { every: '1h' })).rejects.toThrow(ScheduleNotFoundError);
    await expect(app.jobs.schedules.update('changed', { name: 'other' } as never)).rejects.toThrow(
      'has no option "name"',
    );
  });

  it('[S3] what one was made with can be taken away again', async () => {
    const made = await create({
      name: 'plain',
      startAt: '2026-01-01T00:00:00Z',
      endAt: '2126-01-01T00:00:00Z',
      maxRuns: 3,
      owner: 'ada',
      description: 'soon plain',
    });
    const { startAt, endAt, maxRuns, owner, description, ...rest } = made;
    expect({ startAt, endAt, maxRuns, owner, description }).toEqual({
      startAt: '2026-01-01T00:00:00.000Z',
      endAt: '2126-01-01T00:00:00.000Z',
      maxRuns: 3,
      owner: 'ada',
      description: 'soon plain',
    });
    const nothing = { startAt: null, endAt: null, maxRuns: null, owner: null, description: null };
    expect(await app.jobs.schedules.update('plain', nothing)).toEqual(rest);
    expect(
      (await app.jobs.schedules.list({ owner: 'ada', limit: 500 })).schedules.map(({ name }) => name),
    ).not.toContain('plain');
    await expect(app.jobs.schedules.update('plain', { overlap: null } as never)).rejects.toThrow('overlap');
  });

  it('[S3] with another task its jobs are those of that; payloads are checked as for the task', async () => {
    await app.jobs.schedules.create({
      name: 'charged',
      task: make,
      payload: { user: 'ada' },
      every: '1h',
      priority: 2,
    });
    const changed = await app.jobs.schedules.update('charged', { task: charge, payload: { amount: 3 } });
    expect(changed).toMatchObject({ task: 'charge', queue: 'bulk', payload: { amount: 3 } });
    const job = await app.jobs.schedules.trigger('charged');
    expect(await job.result()).toBe(3);
    expect((await app.jobs.queue('bulk').getJob(job.id))!.opts.priority).toBe(3);
    for (const payload of [{ amount: -1 }, { amount: 'x' }]) {
      const wrong = { payload } as never;
      await expect(app.jobs.schedules.update('charged', wrong)).rejects.toThrow(/"charged".*not positive/s);
      await expect(app.jobs.schedules.trigger('charged', wrong)).rejects.toThrow(/"charged".*not positive/s);
    }
    expect((await app.jobs.schedules.update('charged', { description: 'now and then' })).payload).toEqual({
      amount: 3,
    });
  });

  it('[S3] its jobs never expire when it was made so, whatever is changed', async () => {
    await app.jobs.schedules.create({ name: 'patient', task: charge, payload: { amount: 1 }, every: '1h', queue: 'hasty', expiresIn: false }); // prettier-ignore
    await app.jobs.schedules.update('patient', { description: 'waits' });
    const job = await app.jobs.schedules.trigger('patient');
    expect((await app.jobs.queue('hasty').getJob(job.id))!.data).not.toHaveProperty('x');
    expect(await job.result()).toBe(1);
  });

  it('[S3] without its first time it makes up for none that did not count', async () => {
    await create({
      name: 'sooner',
      every: '1h',
      cron: undefined,
      missed: 'all',
      startAt: new Date(Date.now() + 9 * HOUR),
    });
    await wasLastLookedAt('sooner', Date.now() - 5 * HOUR);
    await app.jobs.schedules.update('sooner', { startAt: null });
    await look('sooner');
    expect(await info('sooner')).toMatchObject({ sent: 0, missedCount: 0 });
  });

  it('[S3] one that has ended goes on by a change, and has missed nothing', async () => {
    await create({ name: 'more', every: '1s', cron: undefined, maxRuns: 1, missed: 'all' });
    await eventually(async () => (await info('more')).state === 'ended', { timeout: 30_000 });
    await wasLastLookedAt('more', Date.now() - HOUR);
    const changed = Date.now();
    await app.jobs.schedules.update('more', { maxRuns: 2 });
    await eventually(async () => (await info('more')).sent === 2, { timeout: 30_000 });
    const again = await info('more');
    expect(Date.parse(again.runs[0]!.scheduledFor)).toBeGreaterThan(changed);
    expect(again.missedCount).toBe(0);
  });

  it("[S3] one is paused and goes on, and what was due meanwhile is nobody's", async () => {
    await create({ name: 'paused', every: '1s', cron: undefined });
    expect(await app.jobs.schedules.pause('paused', { reason: 'holidays' })).toMatchObject({
      state: 'paused',
      pauseReason: 'holidays',
      pausedAt: expect.any(String),
    });
    await look('paused');
    expect(await app.jobs.schedules.next('paused')).toEqual([]);
    const before = (await info('paused')).sent;
    await wasLastLookedAt('paused', Date.now() - HOUR);
    const resumed = await app.jobs.schedules.resume('paused');
    expect(resumed).toMatchObject({ state: 'active', sent: before });
    await eventually(async () => (await info('paused')).sent > before, { timeout: 30_000 });
    expect((await info('paused')).missedCount).toBe(0);
    await expect(app.jobs.schedules.pause('none')).rejects.toThrow(ScheduleNotFoundError);
    await expect(app.jobs.schedules.resume('none')).rejects.toThrow('there is no schedule "none"');
  });

  it('[S3] one is triggered by hand, with its payload or another', async () => {
    await create({ name: 'by-hand' });
    const first = await app.jobs.schedules.trigger('by-hand');
    expect(await first.result()).toBe('ada');
    const second = await app.jobs.schedules.trigger('by-hand', { payload: { user: 'bob' } });
    expect(await second.result()).toBe('bob');
    const { runs, sent } = await info('by-hand');
    expect(runs.map(({ id, by }) => [id, by])).toEqual([[second.id, 'trigger'], [first.id, 'trigger']]); // prettier-ignore
    expect(sent).toBe(0);
    await app.jobs.schedules.update('by-hand', { jitter: '100d' });
    expect(await (await app.jobs.schedules.trigger('by-hand')).result()).toBe('ada');
    await expect(app.jobs.schedules.trigger('none')).rejects.toThrow(ScheduleNotFoundError);
  });

  it.each(['a\u0000b', '', '../of-ada', 'x'.repeat(5_000)])(
    '[S3] of a name that is none there is no schedule',
    async (name) => {
      const { schedules } = app.jobs;
      expect(await schedules.get(name)).toBeUndefined();
      expect(await schedules.delete(name)).toBe(false);
      for (const asked of [
        schedules.pause(name),
        schedules.resume(name),
        schedules.trigger(name),
        schedules.next(name),
      ]) {
        await expect(asked).rejects.toThrow(ScheduleNotFoundError);
      }
    },
  );

  it('[S3] tells its next times', async () => {
    await create({ name: 'berlin', cron: '0 6 * * *', timeZone: 'Europe/Berlin' });
    const next = await app.jobs.schedules.next('berlin', 3);
    expect(next).toHaveLength(3);
    for (const time of next) {
      expect(time.getTime()).toBeGreaterThan(Date.now());
      expect(
        new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', timeStyle: 'short', hourCycle: 'h23' }).format(time),
      ).toBe('06:00');
    }
    expect((await info('berlin')).next).toBe(next[0]!.toISOString());
    await create({ name: 'twice', cron: '0 6 * * *', maxRuns: 2 });
    expect(await app.jobs.schedules.next('twice', 5)).toHaveLength(2);
    await expect(app.jobs.schedules.next('none')).rejects.toThrow(ScheduleNotFoundError);
  });

  it('[S3] [S5] makes up for times that passed before it was there, each once', async () => {
    await create({ name: 'filled', cron: '0 * * * *' });
    const [from, to] = ['2026-02-01T00:00:00Z', '2026-02-01T05:30:00Z'];
    expect(await app.jobs.schedules.backfill('filled', from, to)).toBe(6);
    await untilRan(6);
    expect(await app.jobs.schedules.backfill('filled', from, to)).toBe(6);
    const late = await app.jobs.schedules.trigger('filled');
    await late.result();
    expect(
      reports.ran
        .map(({ at }) => at)
        .slice(0, 6)
        .sort((a, b) => a! - b!),
    ).toEqual(Array.from({ length: 6 }, (_, n) => Date.parse(from) + n * HOUR));
    expect(reports.ran.map(({ by }) => by)).toEqual([...Array.from({ length: 6 }, () => 'backfill'), 'trigger']);
    expect((await info('filled')).runs.filter(({ by }) => by === 'backfill').length).toBeGreaterThan(0);
    const gaps = reports.ran.slice(0, 6).map(({ at, previous }) => at! - previous!);
    expect(gaps).toEqual(gaps.map(() => HOUR));
    await expect(app.jobs.schedules.backfill('filled', 'yesterday', to)).rejects.toThrow(InvalidScheduleError);
  });

  it('[S3] has a first and a last time, and so many runs', async () => {
    const start = Date.now() + 1_500;
    await create({
      name: 'window',
      every: '1s',
      cron: undefined,
      startAt: new Date(start),
      endAt: new Date(start + 2_500),
    });
    await eventually(async () => (await info('window')).state === 'ended', { timeout: 30_000 });
    const { runs, sent } = await info('window');
    expect(sent).toBeGreaterThan(0);
    for (const { scheduledFor } of runs) {
      expect(Date.parse(scheduledFor)).toBeGreaterThanOrEqual(start);
      expect(Date.parse(scheduledFor)).toBeLessThanOrEqual(start + 2_500);
    }
    await create({ name: 'few', every: '1s', cron: undefined, maxRuns: 2 });
    await eventually(async () => (await info('few')).state === 'ended', { timeout: 30_000 });
    expect(await info('few')).toMatchObject({ sent: 2 });
    expect((await info('few')).runs).toHaveLength(2);
  });

  it('[S3] those of one owner, in pages', async () => {
    for (let n = 0; n < 5; n++) await create({ name: `page-${n}`, owner: n % 2 === 0 ? 'ada' : 'bob' });
    const first = await app.jobs.schedules.list({ owner: 'ada', limit: 2 });
    expect(first.schedules.map(({ name }) => name)).toEqual(['page-0', 'page-2']);
    const second = await app.jobs.schedules.list({
      owner: 'ada',
      limit: 2,
      ...(first.cursor !== undefined && { cursor: first.cursor }),
    });
    expect(second.schedules.map(({ name }) => name)).toEqual(['page-4']);
    expect(second.cursor).toBeUndefined();
    expect((await app.jobs.schedules.list()).schedules).toHaveLength(5);
    await expect(app.jobs.schedules.list({ limit: 0 })).rejects.toThrow('"limit" from 1 to 500');
  });

  it.each([
    ['run-once', 1],
    ['all', 5],
    ['skip', 0],
  ] as const)('[S5] after an outage of hours, %s: %i', async (missed, sent) => {
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    // In this hour, and not in its first two minutes.
    const minute = Math.max(0, new Date().getUTCMinutes() - 5);
    const newest = hour + minute * 60_000;
    const isLate = Date.now() - newest > 120_000;
    await create({ name: `out-${missed}`, cron: `${minute} * * * *`, missed });
    await wasLastLookedAt(`out-${missed}`, newest - 5 * HOUR);
    await Promise.all([look(`out-${missed}`), look(`out-${missed}`), look(`out-${missed}`)]);
    const expected = missed === 'skip' && !isLate ? 1 : sent;
    await untilRan(expected);
    const { runs, missedCount, sent: counted } = await info(`out-${missed}`);
    expect([counted, missedCount]).toEqual([expected, 5 - expected]);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(expected);
    if (expected > 0) expect(runs[0]!.scheduledFor).toBe(new Date(newest).toISOString());
    await look(`out-${missed}`);
    expect(await info(`out-${missed}`)).toMatchObject({ sent: expected });
  });

  it('[S5] [S7] what is sent while somebody pauses or triggers is counted, too', async () => {
    for (let n = 0; n < 8; n++) {
      reports.ran.length = 0;
      const name = `disturbed-${n}`;
      await create({ name, cron: '0 * * * *', missed: 'all' });
      await wasLastLookedAt(name, Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR);
      const { schedules } = app.jobs;
      const disturb = n % 2 === 0 ? schedules.pause(name) : schedules.trigger(name);
      await Promise.all([look(name), look(name), disturb]);
      const { runs, sent } = await info(name);
      const fired = runs.filter(({ by }) => by === 'schedule');
      await untilRan(runs.length);
      expect(new Set(runs.map(({ id }) => id))).toEqual(new Set(reports.ran.map(({ id }) => id)));
      expect(sent).toBe(fired.length);
      // A pause may have come first.
      if (n % 2 === 1) expect(sent).toBe(5);
    }
  });

  it('[S5] what is older than the window is not made up for', async () => {
    await create({ name: 'window-of-2h', cron: '0 * * * *', missed: 'all', missedWithin: '150m' });
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    await wasLastLookedAt('window-of-2h', hour - 10 * HOUR);
    await look('window-of-2h');
    const { sent, missedCount, runs } = await info('window-of-2h');
    expect(sent + missedCount).toBe(10);
    for (const { scheduledFor } of runs) expect(Date.parse(scheduledFor)).toBeGreaterThan(Date.now() - 151 * 60_000);
    expect(sent).toBeGreaterThanOrEqual(2);
    expect(sent).toBeLessThanOrEqual(3);
    await untilRan(sent);
  });

  it('[S4] with skip none is sent while the last one runs', async () => {
    await create({ name: 'skips', task: slow as never, every: '1s', cron: undefined, overlap: 'skip' });
    await untilRan(1);
    await eventually(async () => (await info('skips')).skippedCount > 1, { timeout: 30_000 });
    expect(reports.ran).toHaveLength(1);
    reports.open.reach();
    await eventually(() => reports.ran.length > 1, { timeout: 30_000 });
    expect(reports.together).toBe(1);
  });

  it('[S4] with skip none is sent while one before the last still runs', async () => {
    await create({ name: 'skips-both', task: slow as never, every: '1s', cron: undefined, overlap: 'skip' });
    await untilRan(1);
    const { overlap } = await app.jobs.schedules.update('skips-both', { task: make });
    expect(overlap).toBe('skip');
    // Sent by hand, and over at once.
    const short = await app.jobs.schedules.trigger('skips-both');
    await short.result();
    const { skippedCount } = await info('skips-both');
    await eventually(async () => (await info('skips-both')).skippedCount > skippedCount + 1, { timeout: 30_000 });
    expect(reports.ran).toHaveLength(2);
    reports.open.reach();
    await eventually(() => reports.ran.length > 2, { timeout: 30_000 });
  });

  it('[S4] with queue they run one after another', async () => {
    await create({ name: 'queues', task: slow as never, every: '1s', cron: undefined, overlap: 'queue' });
    await untilRan(1);
    await eventually(async () => (await info('queues')).sent > 2, { timeout: 30_000 });
    expect(reports.ran).toHaveLength(1);
    await app.jobs.schedules.pause('queues');
    const { sent } = await info('queues');
    reports.open.reach();
    await untilRan(sent);
    expect(reports.together).toBe(1);
    expect(reports.ran.map(({ at }) => at)).toEqual(reports.ran.map(({ at }) => at).toSorted((a, b) => a! - b!));
  });

  it('[S4] with cancel-previous the last one ends cancelled', async () => {
    await create({ name: 'cancels', task: slow as never, every: '1s', cron: undefined, overlap: 'cancel-previous' });
    await eventually(() => reports.ran.length > 2, { timeout: 30_000 });
    await app.jobs.schedules.pause('cancels');
    const first = app.jobs.job(reports.ran[0]!.id);
    expect(await first.status()).toMatchObject({ state: 'cancelled', reason: 'the next run of its schedule is due' });
    expect((await info('cancels')).skippedCount).toBe(0);
  });

  it('[S4] with allow they run side by side', async () => {
    await create({ name: 'allows', task: slow as never, every: '1s', cron: undefined });
    await eventually(() => reports.together > 1, { timeout: 30_000 });
  });

  it('[S5] an alarm that is lost is set again', async () => {
    await create({ name: 'lost', every: '1s', cron: undefined });
    await app.jobs.queue('jobs-internal').removeJobScheduler('lost');
    await eventually(async () => (await info('lost')).rearmedCount === 1, { timeout: 40_000 });
    const { sent } = await info('lost');
    await eventually(async () => (await info('lost')).sent > sent + 1, { timeout: 30_000 });
    expect((await info('lost')).rearmedCount).toBe(1);
  });

  it('[S5] an alarm of other times is set anew', async () => {
    await create({ name: 'overtaken', every: '1s', cron: undefined });
    // As when two have changed it, and the alarm of the one who was overtaken came last.
    const clock = app.app.get(ScheduleClock, { strict: false });
    await clock.arm('overtaken', { timing: { cron: '0 6 1 1 *', zone: 'UTC' } } as ScheduleSpec);
    await eventually(async () => (await info('overtaken')).rearmedCount === 1, { timeout: 40_000 });
    const { sent } = await info('overtaken');
    await eventually(async () => (await info('overtaken')).sent > sent + 1, { timeout: 30_000 });
    // And the other way round, which looks for nothing each second.
    await create({ name: 'rare' });
    await clock.arm('rare', { timing: { every: 1_000, from: 0 } } as ScheduleSpec);
    const alarm = async () => (await app.jobs.queue('jobs-internal').getJobScheduler('rare'))?.next ?? 0;
    await eventually(async () => (await alarm()) > Date.now() + 10_000, { timeout: 30_000 });
    expect((await info('rare')).sent).toBe(0);
  });

  it('[S5] a clock that is set back repeats nothing', async () => {
    await create({ name: 'back', every: '1s', cron: undefined, missed: 'all' });
    const ahead = (Math.floor(Date.now() / 1_000) + 3_600) * 1_000;
    await wasLastLookedAt('back', ahead);
    await look('back');
    expect(await info('back')).toMatchObject({ sent: 0, next: new Date(ahead + 1_000).toISOString() });
    expect(await app.jobs.schedules.next('back', 1)).toEqual([new Date(ahead + 1_000)]);
  });

  it('[S7] one whose task nobody runs is told of by the health check', async () => {
    const health = async (): Promise<unknown> => (await app.app.get(JobsHealthIndicator).isHealthy())['jobs'];
    expect(await health()).not.toHaveProperty('warnings');
    await app.jobs.schedules.create({ name: 'nobody', task: taskContract('nobody.knows'), every: '1h' });
    const warning = 'schedule "nobody": no live process runs task "nobody.knows" in queue "default"';
    await eventually(async () => expect(await health()).toMatchObject({ status: 'up', warnings: [warning] }), {
      timeout: 30_000,
    });
    await app.jobs.schedules.delete('nobody');
    await eventually(async () => expect(await health()).not.toHaveProperty('warnings'), { timeout: 30_000 });
  });

  it('[S3] each begins somewhat later, at a place of its own', async () => {
    await create({ name: 'spread', cron: '0 * * * *', missed: 'all', jitter: '10h' });
    await wasLastLookedAt('spread', Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR);
    await look('spread');
    const { runs } = await info('spread');
    expect(runs.length).toBeGreaterThan(3);
    const jobs = await Promise.all(runs.map(({ id }) => app.jobs.queue('default').getJob(id)));
    const delays = jobs.map((job) => job!.opts.delay!);
    for (const delay of delays) expect(delay).toBeLessThan(10 * HOUR);
    expect(new Set(delays).size).toBe(delays.length);
    await app.jobs.purge('default');
  });

  it.each<[string, object, string]>([
    ['no times', { cron: undefined }, 'must have "cron" or "every", one of the two'],
    ['both times', { every: '1h' }, 'must have "cron" or "every"'],
    ['a zone of an interval', { every: '1h', cron: undefined, timeZone: 'UTC' }, 'has a zone beside "every"'],
    ['a name', { name: 'a:b' }, 'must have a name of 1 to 100'],
    ['an option', { crom: '1' }, 'has no option "crom"'],
    ['a queue', { queue: 'none' }, 'a declared queue'],
    [
      'an end before the beginning',
      { startAt: '2030-01-02T00:00:00Z', endAt: '2030-01-01T00:00:00Z' },
      'a time after "startAt"',
    ],
    ['a time without a zone', { startAt: '2030-01-02T00:00:00' }, 'ISO-8601 with a zone'],
    ['too few runs', { maxRuns: 0 }, 'a whole number above zero as "maxRuns"'],
    ['an owner', { owner: '#x' }, 'must not begin with "#"'],
    ['a payload', { payload: { user: 1n } }, 'JSON'],
  ])('[S3] %s that is wrong is refused, and nothing is stored', async (_what, wrong, message) => {
    await expect(create({ name: 'wrong', ...wrong })).rejects.toThrow(message);
    expect((await app.jobs.schedules.list()).schedules).toEqual([]);
  });
});
