import { Injectable } from '@nestjs/common';
import {
  chain,
  JobsRunner,
  NonRetryableError,
  OnJobEvent,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobEvent,
  type JobEventName,
  type JobHandle,
} from 'nestjs-jobs';
import type { JobsWorker } from '../../libs/jobs/src/backend/jobs-worker.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { ISO_UTC } from '../support/work.js';

const ALL = ['enqueued', 'started', 'progress', 'stage', 'succeeded', 'skipped', 'retrying', 'failed', 'cancelled', 'snoozed', 'stalled'] as const satisfies readonly JobEventName[]; // prettier-ignore
const ENDS: readonly JobEventName[] = ['succeeded', 'skipped', 'failed', 'cancelled'];
const SCOPES = ['local', 'fleet'] as const;

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
    await job.progress({ done: 2 });
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

  @Task({ name: 'work.left-behind', retry: { attempts: 2 } })
  async leftBehind(key: string, job: JobContext): Promise<void> {
    if (job.attempt > 1) return;
    Work.gates.get(key)!.entered.reach(job);
    await Work.gates.get(key)!.open.reached;
  }
}

/** Keeps what it hears, by scope. */
@Injectable()
class Listener {
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
  const listener = app.get(Listener);
  await eventually(async () => {
    await jobs.enqueue(task(Work, 'well'));
    return listener.heard.fleet.length > 0;
  });
}

describe.each(backends)('job events on $name', (backend) => {
  let started: JobsApp;
  let listener: Listener;
  beforeAll(async () => {
    const options = {
      lease: '1s',
      cancelGrace: '500ms',
      queues: { default: {}, unserved: {} },
      workers: { except: ['unserved'] },
    };
    started = await startJobsApp({ backend, providers: [Work, Listener], options });
    listener = started.app.get(Listener);
    await untilHeard(started);
  });
  afterAll(() => started?.close());

  async function ended(job: JobHandle): Promise<{ local: JobEvent[]; fleet: JobEvent[] }> {
    return { local: await listener.ended(job, 'local'), fleet: await listener.ended(job, 'fleet') };
  }

  it('debug', async () => {
    const { jobs } = started;
    const all = [];
    for (const m of ['well', 'failsTwice', 'failsAtOnceAgain', 'givesUp', 'skips', 'snoozes', 'tells'] as const)
      all.push(await jobs.enqueue(task(Work, m)));
    all.push(await jobs.enqueue(task(Work, 'well'), undefined, { delay: '200ms', tags: ['t'] }));
    for (const j of all) console.log(JSON.stringify(await ended(j), null, 1));
    const gate = Work.gate('a');
    const job = await jobs.enqueue(task(Work, 'waits'), 'a');
    await gate.entered.reached;
    await job.cancel({ reason: 'not wanted' });
    console.log(JSON.stringify(await ended(job), null, 1));
    const waiting = await jobs.enqueue(task(Work, 'well'), undefined, { delay: '1h' });
    await waiting.cancel({ reason: 'not wanted' });
    console.log(JSON.stringify(await ended(waiting), null, 1));
  });
});
