import { Injectable } from '@nestjs/common';
import {
  chain,
  InvalidArgumentError,
  JobsService,
  Task,
  task,
  type JobListOptions,
  type JobState,
  type JobStatus,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

@Injectable()
class Mails {
  readonly mayGo = signal();

  @Task({ name: 'mail.send' })
  send(_to: string): string {
    return 'sent';
  }

  @Task({ name: 'mail.fail', retry: { attempts: 1 } })
  fail(): void {
    throw new Error('no such address');
  }

  @Task({ name: 'mail.stumble', retry: { attempts: 2, delay: '10m', jitter: 'none' } })
  stumble(): void {
    throw new Error('not now');
  }

  @Task({ name: 'reports.wait' })
  async wait(): Promise<void> {
    await this.mayGo.reached;
  }
}

const send = task(Mails, 'send');
const QUEUES = { default: {}, idle: {}, rest: {} };

describe.each(backends)('the list of jobs on $name', (backend) => {
  let app: JobsApp;
  let jobs: JobsService;
  beforeEach(async () => {
    const options = { queues: QUEUES, workers: { only: ['default'] } };
    app = await startJobsApp({ backend, providers: [Mails], options });
    jobs = app.jobs;
  });
  afterEach(async () => {
    app.app.get(Mails).mayGo.reach();
    await app.close();
  });

  const idle = async (to: string, tags: string[] = []): Promise<string> =>
    (await jobs.enqueue(send, to, { queue: 'idle', tags })).id;
  const idsOf = (found: readonly JobStatus[]): string[] => found.map(({ id }) => id);
  const listed = async (options: JobListOptions): Promise<string[]> => idsOf((await jobs.list(options)).jobs);

  async function pages(options: JobListOptions, between: () => Promise<unknown> = async () => {}): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await jobs.list({ ...options, ...(cursor !== undefined && { cursor }) });
      ids.push(...idsOf(page.jobs));
      cursor = page.cursor;
      await between();
    } while (cursor !== undefined);
    return ids;
  }

  async function oneOfEach(): Promise<Record<JobState, string[]>> {
    const parked = 'default_parked';
    await jobs.queue('default').add('mail.unknown', {}, { jobId: parked, priority: 5 });
    const scheduled = await jobs.enqueue(send, 'a', { delay: '1h' });
    const waiting = await idle('b');
    const { id: last, parent } = await jobs.start(chain(send.si('c'), send.si('d')).set({ queue: 'idle' }));
    const running = await jobs.enqueue(task(Mails, 'wait'));
    const [retrying, succeeded, failed] = await Promise.all([
      jobs.enqueue(task(Mails, 'stumble')),
      jobs.enqueue(send, 'e'),
      jobs.enqueue(task(Mails, 'fail')),
    ]);
    const cancelled = await idle('f');
    await jobs.job(cancelled).cancel();
    const expected = {
      scheduled: [scheduled.id],
      pending: [parked, waiting, parent!.id],
      blocked: [last],
      running: [running.id],
      retrying: [retrying.id],
      succeeded: [succeeded.id],
      failed: [failed.id],
      cancelled: [cancelled],
    };
    await eventually(async () => {
      for (const [state, ids] of Object.entries(expected)) {
        const found = await jobs.statuses(ids);
        for (const id of ids) expect(found[id]).toMatchObject({ state });
      }
      expect((await jobs.job(parked).status()).waitingFor).toBeDefined();
    });
    return expected;
  }

  it('[A2] finds the jobs of a state, or of several, and none of the library', async () => {
    const expected = await oneOfEach();
    for (const [state, ids] of Object.entries(expected)) {
      expect((await listed({ state: state as JobState })).toSorted()).toEqual(ids.toSorted());
    }
    const several = await listed({ state: ['failed', 'cancelled', 'running'] });
    const ids = [...expected.failed, ...expected.cancelled, ...expected.running];
    expect(several.toSorted()).toEqual(ids.toSorted());
    expect((await pages({ limit: 3 })).toSorted()).toEqual(Object.values(expected).flat().toSorted());
  });

  it('[A2] finds jobs by task, tag and queue', async () => {
    const [a, b] = [await idle('a', ['acme', 'big']), await idle('b', ['acme'])];
    const c = (await jobs.enqueue(send, 'c', { queue: 'rest', tags: ['acme'] })).id;
    const done = await jobs.enqueue(send, 'd', { tags: ['big'] });
    await done.result();
    const failed = await jobs.enqueue(task(Mails, 'fail'));
    await expect(failed.result()).rejects.toThrow();
    expect((await listed({ tag: 'acme' })).toSorted()).toEqual([a, b, c].toSorted());
    expect(await listed({ tag: 'acme', queue: 'idle' })).toEqual([b, a]);
    expect(await listed({ tag: 'big', state: 'succeeded' })).toEqual([done.id]);
    expect(await listed({ tag: 'none' })).toEqual([]);
    expect(await listed({ queue: 'rest' })).toEqual([c]);
    expect(await listed({ task: 'mail.fail' })).toEqual([failed.id]);
    expect(await listed({ task: task(Mails, 'fail') })).toEqual([failed.id]);
    expect((await listed({ task: 'mail.*' })).toSorted()).toEqual([a, b, c, done.id, failed.id].toSorted());
    expect(await listed({ task: 'mail.fail', state: 'succeeded' })).toEqual([]);
    expect((await jobs.list({ tag: 'big', state: 'succeeded' })).jobs[0]).toEqual(await done.status());
  });

  it('[A2] begins with the newest', async () => {
    const waiting = [await idle('a'), await idle('b'), await idle('c')];
    const ended: string[] = [];
    for (const to of ['d', 'e', 'f']) {
      const job = await jobs.enqueue(send, to);
      await job.result();
      ended.push(job.id);
    }
    expect(await listed({ state: 'pending' })).toEqual(waiting.toReversed());
    const times = (await jobs.list({ state: 'succeeded' })).jobs.map(({ finishedAt }) => finishedAt!);
    expect(times).toEqual(times.toSorted().toReversed());
    expect((await listed({ state: 'succeeded', limit: 2 })).length).toBe(2);
    expect((await pages({ state: 'succeeded', limit: 2 })).toSorted()).toEqual(ended.toSorted());
  });

  it.each([{ state: 'pending' }, { tag: 'all' }, {}] as const)(
    '[A2] gives each job once that stays, whatever comes and goes between two pages: %j',
    async (filter) => {
      const ids: string[] = [];
      for (let n = 0; n < 12; n++) ids.push(await idle(String(n), ['all']));
      const leaving = ids.splice(5, 2);
      let turn = 0;
      const found = await pages({ ...filter, limit: 2 }, async () => {
        if (turn++ > 20) throw new Error('there is no end of pages');
        await idle(`new ${turn}`, ['all']);
        const gone = leaving.pop();
        if (gone !== undefined) await jobs.queue('idle').remove(gone);
      });
      for (const id of ids) expect(found.filter((each) => each === id)).toHaveLength(1);
    },
  );

  it('[A2] goes on after a job that is there no more', async () => {
    for (let n = 0; n < 4; n++) await idle(String(n));
    const first = await jobs.list({ state: 'pending', limit: 2 });
    expect(first.jobs).toHaveLength(2);
    await jobs.purge('idle');
    const late = await idle('late');
    expect(await listed({ state: 'pending' })).toEqual([late]);
    const { jobs: rest, cursor } = await jobs.list({ state: 'pending', cursor: first.cursor! });
    expect(rest).toEqual([]);
    expect(cursor).toBeUndefined();
  });

  it('[A2] looks at a thousand jobs in a call, and says where to go on', async () => {
    const rare = await jobs.enqueue(task(Mails, 'stumble'), undefined, { queue: 'idle' });
    const many = Array.from({ length: 1_200 }, (_, n) => ({
      task: send,
      payload: String(n),
      options: { queue: 'idle' },
    }));
    await jobs.enqueueMany(many);
    // What was added past the library counts too.
    await jobs.queue('idle').addBulk(many.slice(0, 10).map(() => ({ name: 'other', data: {}, opts: { priority: 6 } })));
    const first = await jobs.list({ task: 'mail.stumble' });
    expect(first).toEqual({ jobs: [], cursor: expect.any(String) });
    const second = await jobs.list({ task: 'mail.stumble', cursor: first.cursor! });
    expect(second).toEqual({ jobs: [expect.objectContaining({ id: rare.id })] });
  });

  it('[A2] refuses what it does not take', async () => {
    await expect(jobs.list({ state: 'done' as JobState })).rejects.toBeInstanceOf(InvalidArgumentError);
  });
});
