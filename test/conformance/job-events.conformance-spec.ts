import { Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import {
  chain,
  group,
  JobsRunner,
  Locked,
  NonRetryableError,
  OnJobEvent,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobEvent,
  type JobEventName,
} from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { ISO_UTC } from '../support/work.js';

const ALL = ['enqueued', 'started', 'progress', 'stage', 'succeeded', 'skipped', 'retrying', 'failed', 'cancelled', 'snoozed', 'stalled'] as const satisfies readonly JobEventName[]; // prettier-ignore
const ENDS: readonly JobEventName[] = ['succeeded', 'skipped', 'failed', 'cancelled'];

class Refuses implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class Work {
  static gates = new Map<string, { entered: Signal<JobContext>; open: Signal }>();

  static gate(name: string): { entered: Signal<JobContext>; open: Signal } {
    const gate = { entered: signal<JobContext>(), open: signal() };
    Work.gates.set(name, gate);
    return gate;
  }

  @Task({ name: 'work.well' })
  well(): string {
    return 'well';
  }

  @Task({ name: 'work.fails-twice', retry: { attempts: 3, delay: '300ms', factor: 1, jitter: 'none' } })
  failsTwice(_payload: undefined, job: JobContext): void {
    if (job.attempt < 3) throw Object.assign(new TypeError(`attempt ${job.attempt}`), { code: 'E_TRY' });
  }

  @Task({ name: 'work.fails-at-once-again', retry: { attempts: 2, delay: 1 } })
  failsAtOnceAgain(): never {
    throw new Error('each time');
  }

  @Task({ name: 'work.gives-up' })
  givesUp(): never {
    throw new NonRetryableError('no use', { code: 'E_NO_USE' });
  }

  @Task({ name: 'work.skips' })
  skips(): never {
    throw new Skip('nothing to do');
  }

  @Task({ name: 'work.snoozes' })
  snoozes(_payload: undefined, job: JobContext): void {
    if (job.snoozedFor === undefined) throw new Snooze('300ms');
  }

  @Task({ name: 'work.tells' })
  async tells(_payload: undefined, job: JobContext): Promise<void> {
    await job.stage('reading', { rows: 2 });
    await job.progress(50);
    const far = { done: 2 };
    await job.progress(far);
    far.done = 3;
  }

  @Task({ name: 'work.waits' })
  async waits(key: string, job: JobContext): Promise<void> {
    const gate = Work.gates.get(key)!;
    gate.entered.reach(job);
    const stopped = new Promise<never>((_, reject) => {
      job.signal.addEventListener('abort', () => reject(new Error('stopped')));
    });
    await Promise.race([gate.open.reached, stopped]);
  }

  @UseGuards(Refuses)
  @Task({ name: 'work.refused' })
  refused(): void {}

  @Locked({ key: () => 'one' })
  @Task({ name: 'work.locked' })
  async locked(key: string, job: JobContext): Promise<void> {
    await this.waits(key, job);
  }

  @Task({ name: 'work.left-behind', retry: { attempts: 2 } })
  async leftBehind(key: string, job: JobContext): Promise<void> {
    if (job.attempt > 1) return;
    Work.gates.get(key)!.entered.reach(job);
    await Work.gates.get(key)!.open.reached;
  }
}

/** Keeps what it hears, by scope. */
@Injectable()
class Hearing {
  readonly heard = { local: [] as JobEvent[], fleet: [] as JobEvent[] };

  @OnJobEvent({ events: ALL })
  onLocal(event: JobEvent): void {
    this.heard.local.push(event);
  }

  @OnJobEvent({ events: ALL, scope: 'fleet' })
  onFleet(event: JobEvent): void {
    this.heard.fleet.push(event);
  }

  of({ id }: { id: string }, scope: 'local' | 'fleet'): JobEvent[] {
    return this.heard[scope].filter((event) => event.id === id);
  }

  names(job: { id: string }, scope: 'local' | 'fleet'): JobEventName[] {
    return this.of(job, scope).map(({ event }) => event);
  }

  /** What was told of a job, when its end was. */
  async ended(job: { id: string }, scope: 'local' | 'fleet'): Promise<JobEvent[]> {
    await eventually(() => this.names(job, scope).some((name) => ENDS.includes(name)));
    return this.of(job, scope);
  }
}

/** Streams of events are read from their end: that a job's is heard shows that the reading has begun. */
async function untilHeard({ jobs, app }: JobsApp): Promise<void> {
  const listener = app.get(Hearing);
  await eventually(async () => {
    await jobs.enqueue(task(Work, 'well'));
    return listener.heard.fleet.length > 0;
  });
}

describe.each(backends)('job events on $name', (backend) => {
  let started: JobsApp;
  let hearing: Hearing;
  beforeAll(async () => {
    const options = {
      lease: '1s',
      cancelGrace: '500ms',
      queues: { default: {}, unserved: {} },
      workers: { except: ['unserved'] },
      // One task is left behind.
      shutdown: { grace: '100ms' },
    };
    started = await startJobsApp({ backend, providers: [Work, Hearing, Refuses], options });
    hearing = started.app.get(Hearing);
    await untilHeard(started);
  });
  afterAll(() => started?.close());

  async function ended(job: { id: string }): Promise<{ local: JobEvent[]; fleet: JobEvent[] }> {
    return { local: await hearing.ended(job, 'local'), fleet: await hearing.ended(job, 'fleet') };
  }

  /** What both hear, in which order. */
  async function expectTold(job: { id: string }, told: readonly object[]): Promise<void> {
    const { local, fleet } = await ended(job);
    expect(local).toMatchObject(told);
    expect(fleet).toMatchObject(told);
    expect([local.length, fleet.length]).toEqual([told.length, told.length]);
  }

  it('[M1] tell of a job that ends well, with its task, its tags and its times', async () => {
    const job = await started.jobs.enqueue(task(Work, 'well'), undefined, { tags: ['acme'], delay: '20ms' });
    const about = { id: job.id, task: 'work.well', queue: 'default', tags: ['acme'] };
    const duration = expect.any(Number) as number;
    await expectTold(job, [
      { ...about, event: 'enqueued', scheduledFor: expect.stringMatching(ISO_UTC) as string },
      { ...about, event: 'started', attempt: 1 },
      { ...about, event: 'succeeded', attempt: 1, duration },
    ]);
    const { scheduledFor, startedAt, finishedAt } = await job.status();
    const { local, fleet } = await ended(job);
    for (const [enqueued, began, end] of [local, fleet]) {
      expect(enqueued).toMatchObject({ scheduledFor });
      expect(began!.at).toBe(startedAt);
      expect(end!.at).toBe(finishedAt);
      expect(enqueued!.at <= began!.at).toBe(true);
    }
  });

  it('[M1] tell of each failed attempt, with its error and when it is tried again', async () => {
    const job = await started.jobs.enqueue(task(Work, 'failsTwice'));
    const retryAt = expect.stringMatching(ISO_UTC) as string;
    const error = (attempt: number): object => ({ name: 'TypeError', message: `attempt ${attempt}`, code: 'E_TRY' });
    await expectTold(job, [
      { event: 'enqueued' },
      { event: 'started', attempt: 1 },
      { event: 'retrying', attempt: 1, error: error(1), retryAt },
      { event: 'started', attempt: 2 },
      { event: 'retrying', attempt: 2, error: error(2), retryAt },
      { event: 'started', attempt: 3 },
      { event: 'succeeded', attempt: 3 },
    ]);
    const { attempts } = await job.status();
    const { local, fleet } = await ended(job);
    for (const told of [local, fleet]) {
      const retried = told.filter((event) => event.event === 'retrying');
      expect(retried.map(({ at }) => at)).toEqual(attempts.slice(0, 2).map(({ endedAt }) => endedAt));
      for (const event of retried) {
        expect(Object.keys(event.error).toSorted()).toEqual(['code', 'message', 'name']);
        expect(Date.parse(event.retryAt) - Date.parse(event.at)).toBeGreaterThanOrEqual(300);
      }
    }
  });

  it.each([
    [
      'failsAtOnceAgain',
      ['enqueued', 'started', 'retrying', 'started', 'failed'],
      { attempt: 2, error: { message: 'each time' } },
    ],
    [
      'givesUp',
      ['enqueued', 'started', 'failed'],
      { attempt: 1, error: { name: 'NonRetryableError', code: 'E_NO_USE' } },
    ],
    ['refused', ['enqueued', 'started', 'failed'], { attempt: 1, error: { name: 'ForbiddenException' } }],
    ['skips', ['enqueued', 'started', 'skipped'], { attempt: 1, reason: 'nothing to do' }],
    ['snoozes', ['enqueued', 'started', 'snoozed', 'started', 'succeeded'], { attempt: 1 }],
    ['tells', ['enqueued', 'started', 'stage', 'progress', 'progress', 'succeeded'], { attempt: 1 }],
  ] as const)('[M1] tell in order what happens to a job: %s', async (method, names, last) => {
    const job = await started.jobs.enqueue(task(Work, method));
    const told = names.map((event) => ({ event }));
    await expectTold(job, [...told.slice(0, -1), { ...told.at(-1), ...last }]);
  });

  it('[M1] tell what a task says of itself, and until when it snoozes', async () => {
    const tells = await started.jobs.enqueue(task(Work, 'tells'));
    const snoozes = await started.jobs.enqueue(task(Work, 'snoozes'));
    await Promise.all([ended(tells), ended(snoozes)]);
    for (const scope of ['local', 'fleet'] as const) {
      const [, , stage, first, second] = hearing.of(tells, scope);
      expect(stage).toMatchObject({ stage: { name: 'reading', meta: { rows: 2 } }, attempt: 1 });
      expect([first, second]).toMatchObject([{ progress: 50 }, { progress: { done: 2 } }]);
      const snoozed = hearing.of(snoozes, scope).find((event) => event.event === 'snoozed')!;
      expect(Date.parse(snoozed.until) - Date.parse(snoozed.at)).toBe(300);
    }
  });

  it('[M1] tell of a cancelled job when it has ended: one that ran', async () => {
    const { entered } = Work.gate('cancelled');
    const job = await started.jobs.enqueue(task(Work, 'waits'), 'cancelled');
    await entered.reached;
    await job.cancel({ reason: 'not wanted' });
    const end = { event: 'cancelled', attempt: 1, reason: 'not wanted', error: { message: 'stopped' } };
    await expectTold(job, [{ event: 'enqueued' }, { event: 'started' }, end]);
  });

  it('[M1] tell of a cancelled job when it has ended: one that waited, when a worker finds it', async () => {
    const job = await started.jobs.enqueue(task(Work, 'well'), undefined, { delay: '1h' });
    await job.cancel({ reason: 'not wanted' });
    await expectTold(job, [{ event: 'enqueued' }, { event: 'cancelled', attempt: 0, reason: 'not wanted' }]);
    const unserved = await started.jobs.enqueue(task(Work, 'well'), undefined, { queue: 'unserved' });
    await unserved.cancel();
    // Later jobs of the queue's stream show that nothing of it was told before.
    expect(await unserved.status()).toMatchObject({ state: 'cancelled' });
    const later = await started.jobs.enqueue(task(Work, 'well'), undefined, { queue: 'unserved' });
    await eventually(() => hearing.of(later, 'fleet').length > 0);
    for (const scope of ['local', 'fleet'] as const) expect(hearing.names(unserved, scope)).toEqual(['enqueued']);
  });

  it('[M1] tell of a job that waits for a lock that it begins, when it does', async () => {
    const [first, second] = [Work.gate('first'), Work.gate('second')];
    const holder = await started.jobs.enqueue(task(Work, 'locked'), 'first');
    await first.entered.reached;
    const waiter = await started.jobs.enqueue(task(Work, 'locked'), 'second');
    await eventually(async () => (await waiter.status()).waitingFor !== undefined);
    expect(hearing.names(waiter, 'local')).toEqual(['enqueued']);
    first.open.reach();
    second.open.reach();
    for (const job of [holder, waiter]) {
      await expectTold(job, [{ event: 'enqueued' }, { event: 'started', attempt: 1 }, { event: 'succeeded' }]);
    }
  });

  it('[M1] tell of an attempt that was left behind, and nothing of its late end', async () => {
    const { entered, open } = Work.gate('frozen');
    const job = await started.jobs.enqueue(task(Work, 'leftBehind'), 'frozen');
    await entered.reached;
    const { workers } = started.app.get(JobsRunner) as unknown as { workers: Map<string, JobsWorker> };
    const { lockManager } = workers.get('default') as unknown as { lockManager: { trackedJobs: Map<string, unknown> } };
    // Its claim is renewed no more, as if its process were frozen.
    lockManager.trackedJobs.delete(job.id);
    await job.result();
    open.reach();
    const told = [
      { event: 'enqueued' },
      { event: 'started', attempt: 1 },
      { event: 'stalled', attempt: 1 },
      { event: 'started', attempt: 2 },
      { event: 'succeeded', attempt: 2 },
    ];
    const expectLeftBehind = async (): Promise<void> => {
      const { local, fleet } = await ended(job);
      expect(fleet).toMatchObject(told);
      expect(fleet).toHaveLength(told.length);
      // Who finds it in this process may be slower than who runs it again.
      expect(local.filter(({ event }) => event !== 'stalled')).toMatchObject(told.toSpliced(2, 1));
      expect(local.filter(({ event }) => event === 'stalled')).toMatchObject([{ attempt: 1 }]);
    };
    await expectLeftBehind();
    await workers.get('default')!.pause();
    await workers.get('default')!.resume();
    const later = await started.jobs.enqueue(task(Work, 'well'));
    await ended(later);
    await expectLeftBehind();
  });

  it('[M1] tell of the parts of a canvas, and of none of the jobs that the library runs for it', async () => {
    const before = { local: hearing.heard.local.length, fleet: hearing.heard.fleet.length };
    const well = task(Work, 'well');
    const canvas = await started.jobs.start(
      chain(group([well.si(), well.si()]), well.si(), group([well.si(), well.si()])),
    );
    expect(await canvas.result()).toEqual(['well', 'well']);
    for (const scope of ['local', 'fleet'] as const) {
      const told = (): JobEvent[] => hearing.heard[scope].slice(before[scope]);
      await eventually(() => told().filter(({ event }) => event === 'succeeded').length === 5);
      expect(new Set(told().map((event) => `${event.queue} ${event.task}`))).toEqual(new Set(['default work.well']));
      for (const id of new Set(told().map((event) => event.id))) {
        expect(hearing.names({ id }, scope)).toEqual(['enqueued', 'started', 'succeeded']);
      }
    }
  });

  it('[M1] tell of all of many jobs in this process, each in order', async () => {
    const jobs = await started.jobs.enqueueMany(Array.from({ length: 200 }, () => ({ task: task(Work, 'well') })));
    for (const job of jobs) {
      expect((await hearing.ended(job, 'local')).map(({ event }) => event)).toEqual([
        'enqueued',
        'started',
        'succeeded',
      ]);
    }
  });

  it('[M1] tell of no job that was there already', async () => {
    const { entered, open } = Work.gate('same');
    const job = await started.jobs.enqueue(task(Work, 'waits'), 'same', { id: `same-on-${backend.name}` });
    await entered.reached;
    expect(await started.jobs.enqueue(task(Work, 'waits'), 'same', { id: `same-on-${backend.name}` })).toMatchObject({
      id: job.id,
      created: false,
    });
    open.reach();
    await expectTold(job, [{ event: 'enqueued' }, { event: 'started' }, { event: 'succeeded' }]);
  });
});
