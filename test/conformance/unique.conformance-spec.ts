import { JobNotFoundError, Snooze, type JobHandle, type JobsService, type UniqueOptions } from 'nestjs-jobs';
import { accepted } from 'nestjs-jobs/http';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { Keyed, once, retried, run, startKeyed } from '../support/keyed.js';

describe.each(backends)('unique jobs on $name', (backend) => {
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
    key = `key ${++keys}: of any {kind} *ü`;
  });

  const enqueue = (text: string, unique: Omit<UniqueOptions, 'key'> = {}, options = {}): Promise<JobHandle<string>> =>
    jobs.enqueue(run, { text }, { unique: { key, ...unique }, ...options });

  const state = async (job: JobHandle, expected: string): Promise<unknown> =>
    eventually(async () => expect((await job.status()).state).toBe(expected));

  describe('until finished', () => {
    it('[I4] is the default: no second one while the first waits or runs; its handle is that of the first', async () => {
      const later = await jobs.enqueue(once, { text: 'later' }, { unique: { key }, delay: '1h' });
      const scheduled = await jobs.enqueue(once, { text: 'second' }, { unique: { key } });
      expect(scheduled).toMatchObject({ id: later.id, created: false });
      expect(accepted(scheduled).toJSON()).toEqual({ id: later.id, state: 'scheduled' });
      await later.cancel();
      const held = Keyed.hold('first');
      const first = await enqueue('first');
      await held.begun;
      const running = await enqueue('third', { until: 'finished' });
      expect(running).toMatchObject({ id: first.id, created: false });
      expect(accepted(running).toJSON().state).toBe('running');
      held.go();
      expect(await Promise.all([first, running].map((job) => job.result()))).toEqual(['first', 'first']);
      const next = await enqueue('next');
      expect(next.created).toBe(true);
      expect(await next.result()).toBe('next');
      expect(Keyed.ran).toEqual(['first', 'next']);
    });

    it('[I4] a job that retries, snoozes or waits for code has not finished', async () => {
      Keyed.during = () => {
        throw new Error('not yet');
      };
      const unique = { key };
      const first = await jobs.enqueue(retried, { text: 'retries' }, { unique });
      await state(first, 'retrying');
      expect(await jobs.enqueue(retried, { text: 'second' }, { unique })).toMatchObject({
        id: first.id,
        created: false,
      });
      Keyed.during = () => {
        throw new Snooze('1h');
      };
      const snoozes = await enqueue('snoozes');
      await state(snoozes, 'scheduled');
      expect(await enqueue('second')).toMatchObject({ id: snoozes.id, created: false });
      const unknown = { ...run, name: 'nobody.knows' };
      const parked = await jobs.enqueue(unknown, { text: 'x' }, { unique });
      await eventually(async () => expect((await parked.status()).waitingFor?.kind).toBe('unknown-task'));
      expect(await jobs.enqueue(unknown, { text: 'y' }, { unique })).toMatchObject({ id: parked.id, created: false });
      await Promise.all([first, snoozes, parked].map((job) => job.cancel()));
    });
  });

  describe('until started', () => {
    it('[I4] the key is taken until the method begins, and free from then on', async () => {
      let [before, inside]: (JobHandle | undefined)[] = [];
      Keyed.before = async (text) => {
        if (text === 'first') before = await enqueue('from a guard', { until: 'started' });
      };
      Keyed.during = async (text) => {
        if (text === 'first') inside = await enqueue('from inside', { until: 'started' });
      };
      const first = await enqueue('first', { until: 'started' });
      expect(await first.result()).toBe('first');
      expect(before).toMatchObject({ id: first.id, created: false });
      expect(inside!.created).toBe(true);
      expect(await inside!.result()).toBe('from inside');
      expect(Keyed.ran).toEqual(['first', 'from inside']);
    });

    it('[I4] a job that waits for its next attempt has started', async () => {
      Keyed.during = () => {
        throw new Error('not yet');
      };
      const unique = { key, until: 'started' } as const;
      const first = await jobs.enqueue(retried, { text: 'first' }, { unique });
      await state(first, 'retrying');
      const second = await jobs.enqueue(retried, { text: 'second' }, { unique, delay: '1h' });
      expect(second.created).toBe(true);
      await Promise.all([first.cancel(), second.cancel()]);
    });

    it('[I4] a job that a worker has looked at and parked has not started', async () => {
      const unknown = { ...run, name: 'nobody.knows.either' };
      const unique = { key, until: 'started' } as const;
      const parked = await jobs.enqueue(unknown, { text: 'x' }, { unique });
      await eventually(async () => expect((await parked.status()).waitingFor?.kind).toBe('unknown-task'));
      expect(await jobs.enqueue(unknown, { text: 'y' }, { unique })).toMatchObject({ id: parked.id, created: false });
      await parked.cancel();
    });
  });

  describe('for a time', () => {
    it('[I4] the key is taken though the job has succeeded, and free when the time is over', async () => {
      const first = await enqueue('first', { until: '1h' });
      expect(await first.result()).toBe('first');
      const second = await enqueue('second', { until: '1h' });
      expect(second).toMatchObject({ id: first.id, created: false });
      expect(accepted(second).toJSON().state).toBe('succeeded');
      expect(await second.result()).toBe('first');
      key += ' for a second';
      const short = await enqueue('short', { until: '1s' });
      await short.result();
      const next = await eventually(async () => {
        const job = await enqueue('next', { until: '1s' });
        return job.created && job;
      });
      const [from, to] = await Promise.all([short, next].map(async (job) => (await job.status()).createdAt));
      expect(Date.parse(to!) - Date.parse(from!)).toBeGreaterThanOrEqual(900);
      expect(await next.result()).toBe('next');
      expect(Keyed.ran).toEqual(['first', 'short', 'next']);
    });

    it('[I4] the key is taken for longer than the job is kept, whose handle then says so', async () => {
      const short = await startKeyed(backend, { results: { keepFor: '1s' } });
      const unique = { key, until: '1h' } as const;
      const first = await short.jobs.enqueue(run, { text: 'first' }, { unique });
      await first.result();
      await eventually(() => expect(first.status()).rejects.toThrow(JobNotFoundError));
      // Removed when the next one ends.
      await (await short.jobs.enqueue(run, { text: 'sweeps' })).result();
      await eventually(async () => (await short.jobs.queue('default').getJob(first.id)) === undefined);
      const second = await short.jobs.enqueue(run, { text: 'second' }, { unique });
      expect(second).toMatchObject({ id: first.id, created: false });
      await expect(second.status()).rejects.toThrow(JobNotFoundError);
      await short.close();
    });
  });

  describe.each([{ until: 'finished' }, { until: 'started' }, { until: '1h' }] as const)('until $until', (unique) => {
    const again = async (): Promise<void> => {
      const next = await enqueue('next', unique, { queue: 'idle' });
      expect(next.created).toBe(true);
      expect(await enqueue('next', unique, { queue: 'idle' })).toMatchObject({ id: next.id, created: false });
    };

    it('[I4] a job that was cancelled gives up its key, also while no worker has seen that', async () => {
      const first = await enqueue('first', unique, { queue: 'idle' });
      await first.cancel();
      await again();
      const later = await enqueue('later', unique, { delay: '1h' });
      await later.cancel();
      const next = await enqueue('next', unique);
      expect(next.created).toBe(true);
      await next.result();
    });

    it('[I4] a job that expired gives up its key', async () => {
      const held = Array.from({ length: 8 }, (_, n) => Keyed.hold(`holds ${n}`));
      const holding = await jobs.enqueueMany(held.map((_, n) => ({ task: run, payload: { text: `holds ${n}` } })));
      await Promise.all(held.map(({ begun }) => begun));
      const first = await enqueue('first', unique, { expiresIn: 1 });
      const { createdAt } = await first.status();
      await eventually(() => Date.now() > Date.parse(createdAt) + 10);
      for (const { go } of held) go();
      await state(first, 'cancelled');
      const next = await enqueue('next', unique);
      expect(next.created).toBe(true);
      await Promise.all([...holding, next].map((job) => job.result()));
    });

    it('[I4] a job that failed for good gives up its key', async () => {
      Keyed.during = () => {
        throw new Error('never');
      };
      const first = await jobs.enqueue(once, { text: 'first' }, { unique: { key, ...unique } });
      await expect(first.result()).rejects.toThrow('never');
      Keyed.reset();
      const next = await jobs.enqueue(once, { text: 'next' }, { unique: { key, ...unique } });
      expect(next.created).toBe(true);
      expect(await next.result()).toBe('next');
    });

    it('[I4] a job that was purged, or removed past this library, gives up its key', async () => {
      await enqueue('first', unique, { queue: 'idle' });
      await jobs.purge('idle');
      const second = await enqueue('second', unique, { queue: 'idle' });
      expect(second.created).toBe(true);
      await jobs.queue('idle').remove(second.id);
      await again();
    });
  });

  it('[I4] a key is that of a task in a queue', async () => {
    const unique = { key };
    const here = await jobs.enqueue(run, { text: 'x' }, { unique, delay: '1h' });
    const others = [
      await jobs.enqueue(once, { text: 'x' }, { unique, delay: '1h' }),
      await jobs.enqueue(run, { text: 'x' }, { unique, queue: 'other', delay: '1h' }),
      await jobs.enqueue(run, { text: 'x' }, { unique: { key: `${key}!` }, delay: '1h' }),
      await jobs.enqueue(run, { text: 'x' }, { delay: '1h' }),
    ];
    expect(others.map(({ created }) => created)).toEqual([true, true, true, true]);
    await Promise.all([here, ...others].map((job) => job.cancel()));
  });

  it('[I4] the tags of a call that made no job name none', async () => {
    const tag = `tag ${keys}`;
    const first = await enqueue('first', {}, { tags: [tag], queue: 'idle' });
    await enqueue('second', {}, { tags: [tag, `${tag} of the second`], queue: 'idle' });
    expect((await first.status()).tags).toEqual([tag]);
    const { tags } = started.app.get<QueueBackend>(QUEUE_BACKEND);
    expect(await tags.jobsWith(tag)).toEqual([first.id]);
    expect(await tags.jobsWith(`${tag} of the second`)).toEqual([]);
    expect(await jobs.cancelByTag(`${tag} of the second`)).toEqual({ cancelled: 0, asked: 0 });
    expect(await jobs.cancelByTag(tag)).toEqual({ cancelled: 1, asked: 0 });
  });

  it.each([1, 8, 32])(
    '[I4] of many calls at once, of several apps, one makes the job, at concurrency %i',
    async (n) => {
      // The embedded database is that of one app.
      const apps = backend.name === 'embedded' ? 1 : 3;
      const options = { queues: { default: { concurrency: n } }, namespace: uniqueNamespace() };
      const fleet: JobsApp[] = [];
      for (let app = 0; app < apps; app++) fleet.push(await startKeyed(backend, options));
      for (const until of ['finished', 'started', '1h'] as const) {
        const calls = Array.from({ length: n * apps }, (_, call) =>
          fleet[call % apps]!.jobs.enqueue(
            run,
            { text: `${until} ${call}` },
            { unique: { key: 'raced', until }, delay: '1h' },
          ),
        );
        const handles = await Promise.all(calls);
        expect(handles.filter(({ created }) => created)).toHaveLength(1);
        expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
        await handles[0]!.cancel();
      }
      // And while they run: never two of them.
      let [inside, most] = [0, 0];
      Keyed.during = async () => {
        most = Math.max(most, ++inside);
        await new Promise(setImmediate);
        inside--;
      };
      for (let round = 0; round < 10; round++) {
        await Promise.all(fleet.map(({ jobs: each }) => each.enqueue(run, { text: 'x' }, { unique: { key: 'busy' } })));
        await Promise.all(
          Array.from({ length: n }, (_, call) =>
            fleet[call % apps]!.jobs.enqueue(run, { text: `${call}` }, { unique: { key: 'busy' } }),
          ),
        );
      }
      const last = await fleet[0]!.jobs.enqueue(run, { text: 'last' }, { unique: { key: 'busy' } });
      await last.result();
      expect(most).toBe(1);
      for (const app of fleet) await app.close();
    },
  );
});
