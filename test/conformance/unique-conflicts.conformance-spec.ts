import {
  DuplicateJobError,
  EnqueueManyError,
  type EnqueueOptions,
  type JobHandle,
  task,
  type JobsService,
} from 'nestjs-jobs';
import { DoorTasks } from '../fixtures/door-tasks.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Keyed, once, retried, run, startKeyed } from '../support/keyed.js';

const pass = task(DoorTasks, 'pass');

describe.each(backends)('what comes of a taken key on $name', (backend) => {
  let started: JobsApp;
  let jobs: JobsService;
  let keys = 0;
  let key: string;
  beforeAll(async () => {
    started = await startKeyed(backend);
    ({ jobs } = started);
  });
  afterAll(() => started?.close());
  beforeEach(() => {
    Keyed.reset();
    key = `key ${++keys}`;
  });

  const state = async (job: JobHandle, expected: string): Promise<unknown> =>
    eventually(async () => expect((await job.status()).state).toBe(expected));

  describe('reject', () => {
    it('[I4] says the key, the task and whose it is, and enqueues nothing', async () => {
      const unique = { key, onConflict: 'reject' } as const;
      const first = await jobs.enqueue(run, { text: 'first' }, { unique, delay: '1h' });
      expect(first.created).toBe(true);
      const refused = jobs.enqueue(run, { text: 'second' }, { unique });
      await expect(refused).rejects.toThrow(DuplicateJobError);
      await expect(refused).rejects.toMatchObject({ key, task: 'Keyed.run', jobId: first.id });
      await expect(refused).rejects.toThrow(`a job of task "Keyed.run" with the key "${key}" already, "${first.id}"`);
      await first.cancel();
      const third = await jobs.enqueue(run, { text: 'third' }, { unique });
      expect(third.created).toBe(true);
      await third.result();
    });
  });

  describe('replace', () => {
    const replace = (text: string, options: EnqueueOptions = {}): Promise<JobHandle<string>> =>
      jobs.enqueue(run, { text }, { unique: { key, onConflict: 'replace' }, ...options } as EnqueueOptions);

    const due = async (job: JobHandle): Promise<number | undefined> => {
      const { createdAt, scheduledFor } = await job.status();
      return scheduledFor === undefined ? undefined : Date.parse(scheduledFor) - Date.parse(createdAt);
    };

    it('[I4] a scheduled job gets the payload and all options of the newest call, and keeps its id', async () => {
      const first = await replace('first', { delay: '1h', tags: ['old'], priority: 1 });
      const before = await first.status();
      const later = await replace('second', { delay: '3h', tags: ['new'], priority: 8, headers: { by: 'second' } });
      expect(later).toMatchObject({ id: first.id, created: false });
      expect(await first.status()).toMatchObject({ createdAt: before.createdAt, state: 'scheduled', tags: ['new'] });
      expect(await due(first)).toBeGreaterThanOrEqual(3 * 3_600_000);
      await replace('third', { delay: '2h', tags: ['new'] });
      expect(await due(first)).toBeGreaterThanOrEqual(2 * 3_600_000);
      expect(await due(first)).toBeLessThan(3 * 3_600_000);
      const seen: unknown[] = [];
      Keyed.during = (_text, job) => seen.push(job.headers['by'], job.tags);
      await replace('fourth', { headers: { by: 'fourth' }, tags: ['newest'] });
      expect(await Promise.all([first.result(), later.result()])).toEqual(['fourth', 'fourth']);
      expect(seen).toEqual(['fourth', ['newest']]);
      expect(Keyed.ran).toEqual(['fourth']);
      expect(await first.status()).toMatchObject({ attempt: 1, tags: ['newest'] });
    });

    it('[I4] a replaced job is found by its new tags, and not by its old ones', async () => {
      const [old, tag] = [`old ${keys}`, `new ${keys}`];
      const job = await replace('first', { tags: [old], delay: '1h' });
      await replace('second', { tags: [tag], delay: '1h' });
      expect(await jobs.cancelByTag(old)).toEqual({ cancelled: 0, asked: 0 });
      expect(await jobs.cancelByTag(tag)).toEqual({ cancelled: 1, asked: 0 });
      expect(await job.status()).toMatchObject({ state: 'cancelled' });
    });

    it('[I4] a job that waits for a worker is replaced, and goes where its new options put it', async () => {
      const single = await startKeyed(backend, { queues: { default: { concurrency: 1 } } });
      const held = Keyed.hold('holds');
      const holds = await single.jobs.enqueue(run, { text: 'holds' });
      await held.begun;
      const all = { key: 'k', onConflict: 'replace' } as const;
      const job = await single.jobs.enqueue(run, { text: 'low' }, { unique: all, priority: 1 });
      const between = await single.jobs.enqueue(run, { text: 'between' }, { priority: 5 });
      const raised = await single.jobs.enqueue(run, { text: 'high' }, { unique: all, priority: 9 });
      expect(raised).toMatchObject({ id: job.id, created: false });
      const put = await single.jobs.enqueue(run, { text: 'put off' }, { unique: { ...all, key: 'l' } });
      await single.jobs.enqueue(run, { text: 'put off' }, { unique: { ...all, key: 'l' }, delay: '1h' });
      expect((await put.status()).state).toBe('scheduled');
      held.go();
      await Promise.all([holds, raised, between].map((each) => each.result()));
      expect(Keyed.ran).toEqual(['holds', 'high', 'between']);
      expect(await put.cancel()).toBe(true);
      await state(put, 'cancelled');
      await single.close();
    });

    it('[I4] what the first call wanted of attempts, expiry and results is that of the newest', async () => {
      await jobs.enqueue(run, { text: 'first' }, { unique: { key }, delay: '1h', expiresIn: 1 });
      const job = await replace('second', { keepResult: false });
      expect(await job.result()).toBeNull();
      expect(await job.status()).toMatchObject({ state: 'succeeded', maxAttempts: 3 });
    });

    it('[I4] what has begun is not replaced: running, retrying, or snoozing', async () => {
      const held = Keyed.hold('running');
      const running = await replace('running');
      await held.begun;
      expect(await replace('second')).toMatchObject({ id: running.id, created: false });
      held.go();
      expect(await running.result()).toBe('running');
      Keyed.during = () => {
        throw new Error('not yet');
      };
      const unique = { key, onConflict: 'replace' } as const;
      const retrying = await jobs.enqueue(retried, { text: 'retrying' }, { unique });
      await state(retrying, 'retrying');
      expect(await jobs.enqueue(retried, { text: 'second' }, { unique })).toMatchObject({
        id: retrying.id,
        created: false,
      });
      expect((await jobs.queue('default').getJob(retrying.id))!.data).toMatchObject({ p: { text: 'retrying' } });
      await retrying.cancel();
    });

    it('[I4] with until started, what has begun stays as it is, and the call makes a job', async () => {
      const unique = { key, until: 'started', onConflict: 'replace' } as const;
      const held = Keyed.hold('running');
      const running = await jobs.enqueue(run, { text: 'running' }, { unique });
      await held.begun;
      const next = await jobs.enqueue(run, { text: 'next' }, { unique, delay: '1h' });
      expect(next.created).toBe(true);
      expect(await jobs.enqueue(run, { text: 'newest' }, { unique })).toMatchObject({ id: next.id, created: false });
      expect(await next.result()).toBe('newest');
      held.go();
      expect(await running.result()).toBe('running');
    });

    it('[I4] a job that was cancelled is not brought back', async () => {
      const first = await replace('first', { queue: 'idle' });
      await first.cancel();
      const next = await replace('next', { queue: 'idle' });
      expect(next.created).toBe(true);
      expect((await first.status()).state).toBe('cancelled');
      expect((await jobs.queue('idle').getJob(first.id))!.data).toMatchObject({ p: { text: 'first' } });
      await jobs.purge('idle');
    });

    it('[I4] a job that is parked for a lock is replaced, and keeps its place in the line', async () => {
      DoorTasks.reset();
      const doors = await startJobsApp({ backend, providers: [DoorTasks] });
      let [open, isIn] = [(): void => {}, (): void => {}];
      const [opened, gone] = [new Promise<void>((done) => (open = done)), new Promise<void>((done) => (isIn = done))];
      DoorTasks.at = async (moment, job) => {
        if (moment !== 'it has gone in' || job.id !== 'default_first') return;
        isIn();
        await opened;
      };
      await doors.jobs.enqueue(pass, { door: 'door' }, { id: 'first' });
      await gone;
      const unique = { key, onConflict: 'replace' } as const;
      const parked = await doors.jobs.enqueue(pass, { door: 'door' }, { unique });
      await eventually(async () => expect((await parked.status()).waitingFor?.kind).toBe('lock'));
      const newest = await doors.jobs.enqueue(pass, { door: 'door' }, { unique, tags: ['newest'], delay: '1h' });
      expect(newest).toMatchObject({ id: parked.id, created: false });
      expect(await parked.status()).toMatchObject({ tags: ['newest'], state: 'pending', waitingFor: { kind: 'lock' } });
      open();
      await parked.result();
      expect(DoorTasks.entered).toEqual(['default_first', parked.id]);
      await doors.close();
    });

    it.each([1, 8, 32])(
      '[I4] of many calls at once, one text is left and it runs once, at concurrency %i',
      async (n) => {
        const calls = Array.from({ length: n }, (_, call) => replace(`text ${call}`, { delay: '1h' }));
        const handles = await Promise.all(calls);
        expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
        expect(handles.filter(({ created }) => created)).toHaveLength(1);
        await replace('the last');
        expect(await handles[0]!.result()).toBe('the last');
        expect(Keyed.ran).toEqual(['the last']);
      },
    );
  });

  describe('in a list', () => {
    it('[I4] every entry says whether it made its job, also of two with one key', async () => {
      const before = await jobs.enqueue(run, { text: 'before' }, { unique: { key }, delay: '1h' });
      const entries = [{ key }, { key: `${key} a` }, { key: `${key} a` }, undefined, { key: `${key} b` }];
      const handles = await jobs.enqueueMany(
        entries.map((unique, n) => ({ task: run, payload: { text: `entry ${n}` }, options: { unique } })),
      );
      expect(handles.map(({ created }) => created)).toEqual([false, true, false, true, true]);
      expect(handles[0]!.id).toBe(before.id);
      expect(handles[2]!.id).toBe(handles[1]!.id);
      const made = await Promise.all(handles.slice(1).map((job) => job.result()));
      expect(made).toEqual(['entry 1', 'entry 1', 'entry 3', 'entry 4']);
      await before.cancel();
    });

    it('[I4] the last of those with one key is the newest', async () => {
      const unique = { key, onConflict: 'replace' } as const;
      const handles = await jobs.enqueueMany(
        Array.from({ length: 20 }, (_, n) => ({
          task: run,
          payload: { text: `entry ${n}` },
          options: { unique, delay: '1h' },
        })),
      );
      expect(handles.map(({ created }) => created)).toEqual(handles.map((_, n) => n === 0));
      expect((await jobs.queue('default').getJob(handles[0]!.id))!.data).toMatchObject({ p: { text: 'entry 19' } });
      await handles[0]!.cancel();
    });

    it('[I4] those that are rejected are named, and the others are stored', async () => {
      const unique = { key, onConflict: 'reject' } as const;
      const refused = await jobs
        .enqueueMany([
          { task: run, payload: { text: 'one' }, options: { unique, delay: '1h' } },
          { task: once, payload: { text: 'two' } },
          { task: run, payload: { text: 'three' }, options: { unique } },
        ])
        .catch((error: unknown) => error as EnqueueManyError);
      expect(refused).toBeInstanceOf(EnqueueManyError);
      const { enqueued, failed } = refused as EnqueueManyError;
      expect(enqueued.map(({ created }) => created)).toEqual([true, true]);
      expect(failed.map(({ index, error }) => [index, error.name])).toEqual([[2, 'DuplicateJobError']]);
      expect((failed[0]!.error as DuplicateJobError).jobId).toBe(enqueued[0]!.id);
      await enqueued[0]!.cancel();
    });
  });
});
