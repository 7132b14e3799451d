import { InvalidScheduleError, ScheduleNotFoundError, taskContract } from 'nestjs-jobs';
import { JobsHealthIndicator } from 'nestjs-jobs/health';
import type { ScheduleSpec } from '../../libs/jobs/src/schedule/schedule-record.js';
import { ScheduleClock } from '../../libs/jobs/src/schedule/schedule-clock.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { HOUR, make, slow, StoredSchedules } from '../support/stored-schedules.js';
import { sized } from '../support/test-form.js';

describe.each(backends)('the times of schedules on $name', (backend) => {
  const stored = new StoredSchedules(backend);

  it('[S3] without its first time it makes up for none that did not count', async () => {
    await stored.create({
      name: 'sooner',
      every: '1h',
      cron: undefined,
      missed: 'all',
      startAt: new Date(Date.now() + 9 * HOUR),
    });
    await stored.wasLastLookedAt('sooner', Date.now() - 5 * HOUR);
    await stored.jobs.schedules.update('sooner', { startAt: null });
    await stored.look('sooner');
    expect(await stored.info('sooner')).toMatchObject({ sent: 0, missedCount: 0 });
  });

  it('[S3] one that has ended goes on by a change, and has missed nothing', async () => {
    await stored.create({ name: 'more', every: '1s', cron: undefined, maxRuns: 1, missed: 'all' });
    await eventually(async () => (await stored.info('more')).state === 'ended', { timeout: 30_000 });
    await stored.wasLastLookedAt('more', Date.now() - HOUR);
    const changed = Date.now();
    await stored.jobs.schedules.update('more', { maxRuns: 2 });
    await eventually(async () => (await stored.info('more')).sent === 2, { timeout: 30_000 });
    const again = await stored.info('more');
    expect(Date.parse(again.runs[0]!.scheduledFor)).toBeGreaterThan(changed);
    expect(again.missedCount).toBe(0);
  });

  it("[S3] one is paused and goes on, and what was due meanwhile is nobody's", async () => {
    await stored.create({ name: 'paused', every: '1s', cron: undefined });
    expect(await stored.jobs.schedules.pause('paused', { reason: 'holidays' })).toMatchObject({
      state: 'paused',
      pauseReason: 'holidays',
      pausedAt: expect.any(String),
    });
    await stored.look('paused');
    expect(await stored.jobs.schedules.next('paused')).toEqual([]);
    const before = (await stored.info('paused')).sent;
    await stored.wasLastLookedAt('paused', Date.now() - HOUR);
    const resumed = await stored.jobs.schedules.resume('paused');
    expect(resumed).toMatchObject({ state: 'active', sent: before });
    await eventually(async () => (await stored.info('paused')).sent > before, { timeout: 30_000 });
    expect((await stored.info('paused')).missedCount).toBe(0);
    await expect(stored.jobs.schedules.pause('none')).rejects.toThrow(ScheduleNotFoundError);
    await expect(stored.jobs.schedules.resume('none')).rejects.toThrow('there is no schedule "none"');
  });

  it('[S3] [S5] makes up for times that passed before it was there, each once', async () => {
    await stored.create({ name: 'filled', cron: '0 * * * *' });
    const [from, to] = ['2026-02-01T00:00:00Z', '2026-02-01T05:30:00Z'];
    expect(await stored.jobs.schedules.backfill('filled', from, to)).toBe(6);
    await stored.untilRan(6);
    expect(await stored.jobs.schedules.backfill('filled', from, to)).toBe(6);
    const late = await stored.jobs.schedules.trigger('filled');
    await late.result();
    expect(
      stored.reports.ran
        .map(({ at }) => at)
        .slice(0, 6)
        .sort((a, b) => a! - b!),
    ).toEqual(Array.from({ length: 6 }, (_, n) => Date.parse(from) + n * HOUR));
    expect(stored.reports.ran.map(({ by }) => by)).toEqual([...Array.from({ length: 6 }, () => 'backfill'), 'trigger']);
    expect((await stored.info('filled')).runs.filter(({ by }) => by === 'backfill').length).toBeGreaterThan(0);
    const gaps = stored.reports.ran.slice(0, 6).map(({ at, previous }) => at! - previous!);
    expect(gaps).toEqual(gaps.map(() => HOUR));
    await expect(stored.jobs.schedules.backfill('filled', 'yesterday', to)).rejects.toThrow(InvalidScheduleError);
  });

  it('[S3] has a first and a last time, and so many runs', async () => {
    const start = Date.now() + 1_500;
    await stored.create({ name: 'few', every: '1s', cron: undefined, maxRuns: 2 });
    await stored.create({
      name: 'window',
      every: '1s',
      cron: undefined,
      startAt: new Date(start),
      endAt: new Date(start + 2_500),
    });
    await eventually(async () => (await stored.info('window')).state === 'ended', { timeout: 30_000 });
    const { runs, sent } = await stored.info('window');
    expect(sent).toBeGreaterThan(0);
    for (const { scheduledFor } of runs) {
      expect(Date.parse(scheduledFor)).toBeGreaterThanOrEqual(start);
      expect(Date.parse(scheduledFor)).toBeLessThanOrEqual(start + 2_500);
    }
    await eventually(async () => (await stored.info('few')).state === 'ended', { timeout: 30_000 });
    expect(await stored.info('few')).toMatchObject({ sent: 2 });
    expect((await stored.info('few')).runs).toHaveLength(2);
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
    await stored.create({ name: `out-${missed}`, cron: `${minute} * * * *`, missed });
    await stored.wasLastLookedAt(`out-${missed}`, newest - 5 * HOUR);
    await Promise.all([stored.look(`out-${missed}`), stored.look(`out-${missed}`), stored.look(`out-${missed}`)]);
    const expected = missed === 'skip' && !isLate ? 1 : sent;
    await stored.untilRan(expected);
    const { runs, missedCount, sent: counted } = await stored.info(`out-${missed}`);
    expect([counted, missedCount]).toEqual([expected, 5 - expected]);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(expected);
    if (expected > 0) expect(runs[0]!.scheduledFor).toBe(new Date(newest).toISOString());
    await stored.look(`out-${missed}`);
    expect(await stored.info(`out-${missed}`)).toMatchObject({ sent: expected });
  });

  it('[S5] [S7] what is sent while somebody pauses or triggers is counted, too', async () => {
    for (let n = 0; n < sized(8, 4); n++) {
      stored.reports.ran.length = 0;
      const name = `disturbed-${n}`;
      await stored.create({ name, cron: '0 * * * *', missed: 'all' });
      await stored.wasLastLookedAt(name, Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR);
      const { schedules } = stored.jobs;
      const disturb = n % 2 === 0 ? schedules.pause(name) : schedules.trigger(name);
      await Promise.all([stored.look(name), stored.look(name), disturb]);
      const { runs, sent } = await stored.info(name);
      const fired = runs.filter(({ by }) => by === 'schedule');
      await stored.untilRan(runs.length);
      expect(new Set(runs.map(({ id }) => id))).toEqual(new Set(stored.reports.ran.map(({ id }) => id)));
      expect(sent).toBe(fired.length);
      // A pause may have come first.
      if (n % 2 === 1) expect(sent).toBe(5);
    }
  });

  it('[S5] what is older than the window is not made up for', async () => {
    await stored.create({ name: 'window-of-2h', cron: '0 * * * *', missed: 'all', missedWithin: '150m' });
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    await stored.wasLastLookedAt('window-of-2h', hour - 10 * HOUR);
    await stored.look('window-of-2h');
    const { sent, missedCount, runs } = await stored.info('window-of-2h');
    expect(sent + missedCount).toBe(10);
    for (const { scheduledFor } of runs) expect(Date.parse(scheduledFor)).toBeGreaterThan(Date.now() - 151 * 60_000);
    expect(sent).toBeGreaterThanOrEqual(2);
    expect(sent).toBeLessThanOrEqual(3);
    await stored.untilRan(sent);
  });

  it('[S4] with skip none is sent while the last one runs', async () => {
    await stored.create({ name: 'skips', task: slow as never, every: '1s', cron: undefined, overlap: 'skip' });
    await stored.untilRan(1);
    await eventually(async () => (await stored.info('skips')).skippedCount > 1, { timeout: 30_000 });
    expect(stored.reports.ran).toHaveLength(1);
    stored.reports.open.reach();
    await eventually(() => stored.reports.ran.length > 1, { timeout: 30_000 });
    expect(stored.reports.together).toBe(1);
  });

  it('[S4] with skip none is sent while one before the last still runs', async () => {
    await stored.create({ name: 'skips-both', task: slow as never, every: '1s', cron: undefined, overlap: 'skip' });
    await stored.untilRan(1);
    const { overlap } = await stored.jobs.schedules.update('skips-both', { task: make });
    expect(overlap).toBe('skip');
    // Sent by hand, and over at once.
    const short = await stored.jobs.schedules.trigger('skips-both');
    await short.result();
    const { skippedCount } = await stored.info('skips-both');
    await eventually(async () => (await stored.info('skips-both')).skippedCount > skippedCount + 1, {
      timeout: 30_000,
    });
    expect(stored.reports.ran).toHaveLength(2);
    stored.reports.open.reach();
    await eventually(() => stored.reports.ran.length > 2, { timeout: 30_000 });
  });

  it('[S4] with queue they run one after another', async () => {
    await stored.create({ name: 'queues', task: slow as never, every: '1s', cron: undefined, overlap: 'queue' });
    await stored.untilRan(1);
    await eventually(async () => (await stored.info('queues')).sent > 2, { timeout: 30_000 });
    expect(stored.reports.ran).toHaveLength(1);
    await stored.jobs.schedules.pause('queues');
    const { sent } = await stored.info('queues');
    stored.reports.open.reach();
    await stored.untilRan(sent);
    expect(stored.reports.together).toBe(1);
    expect(stored.reports.ran.map(({ at }) => at)).toEqual(
      stored.reports.ran.map(({ at }) => at).toSorted((a, b) => a! - b!),
    );
  });

  it('[S4] with cancel-previous the last one ends cancelled', async () => {
    await stored.create({
      name: 'cancels',
      task: slow as never,
      every: '1s',
      cron: undefined,
      overlap: 'cancel-previous',
    });
    await eventually(() => stored.reports.ran.length > 2, { timeout: 30_000 });
    await stored.jobs.schedules.pause('cancels');
    const first = stored.jobs.job(stored.reports.ran[0]!.id);
    expect(await first.status()).toMatchObject({ state: 'cancelled', reason: 'the next run of its schedule is due' });
    expect((await stored.info('cancels')).skippedCount).toBe(0);
  });

  it('[S4] with allow they run side by side', async () => {
    await stored.create({ name: 'allows', task: slow as never, every: '1s', cron: undefined });
    await eventually(() => stored.reports.together > 1, { timeout: 30_000 });
  });

  it('[S5] an alarm that is lost is set again, and one of other times anew', async () => {
    for (const name of ['lost', 'overtaken']) await stored.create({ name, every: '1s', cron: undefined });
    await stored.create({ name: 'rare' });
    await stored.jobs.queue('jobs-internal').removeJobScheduler('lost');
    // As when two have changed it, and the alarm of the one who was overtaken came last.
    const clock = stored.app.get(ScheduleClock, { strict: false });
    await clock.arm('overtaken', { timing: { cron: '0 6 1 1 *', zone: 'UTC' } } as ScheduleSpec);
    // And the other way round, which looks for nothing each second.
    await clock.arm('rare', { timing: { every: 1_000, from: 0 } } as ScheduleSpec);
    const goesOn = async (name: string): Promise<void> => {
      await eventually(async () => (await stored.info(name)).rearmedCount === 1, { timeout: 40_000 });
      const { sent } = await stored.info(name);
      await eventually(async () => (await stored.info(name)).sent > sent + 1, { timeout: 30_000 });
    };
    await Promise.all([goesOn('lost'), goesOn('overtaken')]);
    expect((await stored.info('lost')).rearmedCount).toBe(1);
    const alarm = async () => (await stored.jobs.queue('jobs-internal').getJobScheduler('rare'))?.next ?? 0;
    await eventually(async () => (await alarm()) > Date.now() + 10_000, { timeout: 30_000 });
    expect((await stored.info('rare')).sent).toBe(0);
  });

  it('[S5] a clock that is set back repeats nothing', async () => {
    await stored.create({ name: 'back', every: '1s', cron: undefined, missed: 'all' });
    const ahead = (Math.floor(Date.now() / 1_000) + 3_600) * 1_000;
    await stored.wasLastLookedAt('back', ahead);
    await stored.look('back');
    expect(await stored.info('back')).toMatchObject({ sent: 0, next: new Date(ahead + 1_000).toISOString() });
    expect(await stored.jobs.schedules.next('back', 1)).toEqual([new Date(ahead + 1_000)]);
  });

  it('[S7] one whose task nobody runs is told of by the health check', async () => {
    const health = async (): Promise<unknown> => (await stored.app.get(JobsHealthIndicator).isHealthy())['jobs'];
    expect(await health()).not.toHaveProperty('warnings');
    await stored.jobs.schedules.create({ name: 'nobody', task: taskContract('nobody.knows'), every: '1h' });
    const warning = 'schedule "nobody": no live process runs task "nobody.knows" in queue "default"';
    await eventually(async () => expect(await health()).toMatchObject({ status: 'up', warnings: [warning] }), {
      timeout: 30_000,
    });
    await stored.jobs.schedules.delete('nobody');
    await eventually(async () => expect(await health()).not.toHaveProperty('warnings'), { timeout: 30_000 });
  });

  it('[S3] each begins somewhat later, at a place of its own', async () => {
    await stored.create({ name: 'spread', cron: '0 * * * *', missed: 'all', jitter: '10h' });
    await stored.wasLastLookedAt('spread', Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR);
    await stored.look('spread');
    const { runs } = await stored.info('spread');
    expect(runs.length).toBeGreaterThan(3);
    const jobs = await Promise.all(runs.map(({ id }) => stored.jobs.queue('default').getJob(id)));
    const delays = jobs.map((job) => job!.opts.delay!);
    for (const delay of delays) expect(delay).toBeLessThan(10 * HOUR);
    expect(new Set(delays).size).toBe(delays.length);
    await stored.jobs.purge('default');
  });
});
