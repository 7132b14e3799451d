import { ScheduleExistsError, ScheduleNotFoundError } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { charge, HOUR, make, StoredSchedules } from '../support/stored-schedules.js';

describe.each(backends)('schedules that are made at run time on $name', (backend) => {
  const stored = new StoredSchedules(backend);

  it('[S3] one is stored, shown, and fires', async () => {
    const made = await stored.create({
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
    await eventually(() => stored.reports.ran.length > 1, { timeout: 30_000 });
    expect(stored.reports.ran[0]!.by).toBe('schedule');
    const now = await stored.info('of-ada');
    expect(now.sent).toBeGreaterThan(0);
    expect(now.lag).toBeGreaterThanOrEqual(0);
    const last = now.runs.at(-1)!;
    expect(last).toEqual({
      id: stored.reports.ran[0]!.id,
      scheduledFor: new Date(stored.reports.ran[0]!.at!).toISOString(),
      sentAt: expect.any(String),
      by: 'schedule',
      state: 'succeeded',
    });
    expect(await stored.jobs.schedules.delete('of-ada')).toBe(true);
    expect(await stored.jobs.schedules.delete('of-ada')).toBe(false);
    expect(await stored.jobs.schedules.get('of-ada')).toBeUndefined();
  });

  it('[S3] the same one again is the same; another one of its name is refused', async () => {
    const made = await stored.create({ name: 'same', cron: '0 6 * * *' });
    expect(await stored.create({ name: 'same', cron: '0 6 * * *' })).toEqual(made);
    await expect(stored.create({ name: 'same', cron: '0 7 * * *' })).rejects.toThrow(ScheduleExistsError);
    await expect(stored.create({ name: 'same', cron: '0 6 * * *', payload: { user: 'bob' } })).rejects.toThrow(
      'there is another schedule "same"',
    );
    const [first, second] = await Promise.all([stored.create({ name: 'twice' }), stored.create({ name: 'twice' })]);
    expect({ ...first, createdAt: '' }).toEqual({ ...second, createdAt: '' });
  });

  it('[S3] one is changed; what is left out stays', async () => {
    const made = await stored.create({
      name: 'changed',
      cron: '0 6 * * *',
      timeZone: 'Europe/Berlin',
      overlap: 'skip',
      owner: 'ada',
    });
    const paid = await stored.jobs.schedules.update('changed', { payload: { user: 'bob' } });
    expect(paid).toEqual({ ...made, payload: { user: 'bob' } });
    const retimed = await stored.jobs.schedules.update('changed', { cron: '0 7 * * *' });
    expect(retimed).toMatchObject({ cron: '0 7 * * *', timeZone: 'Europe/Berlin', overlap: 'skip', owner: 'ada' });
    const every = await stored.jobs.schedules.update('changed', { every: '1h' });
    expect(every).toMatchObject({ every: HOUR });
    expect(every).not.toHaveProperty('cron');
    const rezoned = await stored.jobs.schedules.update('changed', { cron: '0 7 * * *', utcOffset: 60 });
    expect(rezoned).toMatchObject({ cron: '0 7 * * *', utcOffset: 60 });
    const zoned = await stored.jobs.schedules.update('changed', {
      timeZone: 'Europe/Berlin',
      cron: undefined,
    } as never);
    expect(zoned).toMatchObject({ cron: '0 7 * * *', timeZone: 'Europe/Berlin' });
    expect(zoned).not.toHaveProperty('utcOffset');
    expect(await stored.jobs.schedules.update('changed', { waitForCompletion: false })).toMatchObject({
      overlap: 'allow',
    });
    expect(await stored.jobs.schedules.update('changed', { waitForCompletion: true })).toMatchObject({
      overlap: 'skip',
    });
    await expect(stored.jobs.schedules.update('none', { every: '1h' })).rejects.toThrow(ScheduleNotFoundError);
    await expect(stored.jobs.schedules.update('changed', { name: 'other' } as never)).rejects.toThrow(
      'has no option "name"',
    );
  });

  it('[S3] what one was made with can be taken away again', async () => {
    const made = await stored.create({
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
    expect(await stored.jobs.schedules.update('plain', nothing)).toEqual(rest);
    expect(
      (await stored.jobs.schedules.list({ owner: 'ada', limit: 500 })).schedules.map(({ name }) => name),
    ).not.toContain('plain');
    await expect(stored.jobs.schedules.update('plain', { overlap: null } as never)).rejects.toThrow('overlap');
  });

  it('[S3] with another task its jobs are those of that; payloads are checked as for the task', async () => {
    await stored.jobs.schedules.create({
      name: 'charged',
      task: make,
      payload: { user: 'ada' },
      every: '1h',
      priority: 2,
    });
    const changed = await stored.jobs.schedules.update('charged', { task: charge, payload: { amount: 3 } });
    expect(changed).toMatchObject({ task: 'charge', queue: 'bulk', payload: { amount: 3 } });
    const job = await stored.jobs.schedules.trigger('charged');
    expect(await job.result()).toBe(3);
    expect((await stored.jobs.queue('bulk').getJob(job.id))!.opts.priority).toBe(3);
    for (const payload of [{ amount: -1 }, { amount: 'x' }]) {
      const wrong = { payload } as never;
      await expect(stored.jobs.schedules.update('charged', wrong)).rejects.toThrow(/"charged".*not positive/s);
      await expect(stored.jobs.schedules.trigger('charged', wrong)).rejects.toThrow(/"charged".*not positive/s);
    }
    expect((await stored.jobs.schedules.update('charged', { description: 'now and then' })).payload).toEqual({
      amount: 3,
    });
  });

  it('[S3] its jobs never expire when it was made so, whatever is changed', async () => {
    await stored.jobs.schedules.create({ name: 'patient', task: charge, payload: { amount: 1 }, every: '1h', queue: 'hasty', expiresIn: false }); // prettier-ignore
    await stored.jobs.schedules.update('patient', { description: 'waits' });
    const job = await stored.jobs.schedules.trigger('patient');
    expect((await stored.jobs.queue('hasty').getJob(job.id))!.data).not.toHaveProperty('x');
    expect(await job.result()).toBe(1);
  });

  it('[S3] one is triggered by hand, with its payload or another', async () => {
    await stored.create({ name: 'by-hand' });
    const first = await stored.jobs.schedules.trigger('by-hand');
    expect(await first.result()).toBe('ada');
    const second = await stored.jobs.schedules.trigger('by-hand', { payload: { user: 'bob' } });
    expect(await second.result()).toBe('bob');
    const { runs, sent } = await stored.info('by-hand');
    expect(runs.map(({ id, by }) => [id, by])).toEqual([[second.id, 'trigger'], [first.id, 'trigger']]); // prettier-ignore
    expect(sent).toBe(0);
    await stored.jobs.schedules.update('by-hand', { jitter: '100d' });
    expect(await (await stored.jobs.schedules.trigger('by-hand')).result()).toBe('ada');
    await expect(stored.jobs.schedules.trigger('none')).rejects.toThrow(ScheduleNotFoundError);
  });

  it.each(['a\u0000b', '', '../of-ada', 'x'.repeat(5_000)])(
    '[S3] of a name that is none there is no schedule',
    async (name) => {
      const { schedules } = stored.jobs;
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
    await stored.create({ name: 'berlin', cron: '0 6 * * *', timeZone: 'Europe/Berlin' });
    const next = await stored.jobs.schedules.next('berlin', 3);
    expect(next).toHaveLength(3);
    for (const time of next) {
      expect(time.getTime()).toBeGreaterThan(Date.now());
      expect(
        new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', timeStyle: 'short', hourCycle: 'h23' }).format(time),
      ).toBe('06:00');
    }
    expect((await stored.info('berlin')).next).toBe(next[0]!.toISOString());
    await stored.create({ name: 'twice', cron: '0 6 * * *', maxRuns: 2 });
    expect(await stored.jobs.schedules.next('twice', 5)).toHaveLength(2);
    await expect(stored.jobs.schedules.next('none')).rejects.toThrow(ScheduleNotFoundError);
  });

  it('[S3] those of one owner, in pages', async () => {
    for (let n = 0; n < 5; n++) await stored.create({ name: `page-${n}`, owner: n % 2 === 0 ? 'ada' : 'bob' });
    const first = await stored.jobs.schedules.list({ owner: 'ada', limit: 2 });
    expect(first.schedules.map(({ name }) => name)).toEqual(['page-0', 'page-2']);
    const second = await stored.jobs.schedules.list({
      owner: 'ada',
      limit: 2,
      ...(first.cursor !== undefined && { cursor: first.cursor }),
    });
    expect(second.schedules.map(({ name }) => name)).toEqual(['page-4']);
    expect(second.cursor).toBeUndefined();
    expect((await stored.jobs.schedules.list()).schedules).toHaveLength(5);
    await expect(stored.jobs.schedules.list({ limit: 0 })).rejects.toThrow('"limit" from 1 to 500');
  });

  it('[S3] [S5] what was sent is noted, although the store was away and it was paused meanwhile', async () => {
    await stored.create({ name: 'noted', cron: '0 * * * *', overlap: 'allow', missed: 'all' });
    await stored.wasLastLookedAt('noted', Date.now() - 2 * HOUR);
    const hasFailed = stored.failNextWrite(() => stored.jobs.schedules.pause('noted'));
    // Or whoever looks for schedules whose alarm is lost is faster.
    await Promise.allSettled([stored.look('noted')]);
    await hasFailed;
    await stored.look('noted');
    expect(await stored.info('noted')).toMatchObject({ state: 'paused' });
    await stored.untilRan(2);
    const { sent, runs } = await stored.info('noted');
    expect(sent).toBe(2);
    expect(runs.map(({ id }) => id).toSorted()).toEqual(stored.reports.ran.map(({ id }) => id).toSorted());
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
    await expect(stored.create({ name: 'wrong', ...wrong })).rejects.toThrow(message);
    expect((await stored.jobs.schedules.list()).schedules).toEqual([]);
  });
});
