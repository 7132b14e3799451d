import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { OnFailure, Task, task, type JobContext, type JobFailure, type JobStatus } from '../../libs/jobs/src/index.js';
import { LedgerFile, type LateCall } from './ledger.js';

/** More than any run kills processes: only poison may use up its attempts. */
export const PLENTY_OF_ATTEMPTS = 100;
export const POISON_ATTEMPTS = 3;

export const FAILURES = 'failures';
const POISON_HANDLER = 'chaos.on-poison';

export function poisonHandlerJobId(poisonedId: string): string {
  return `${FAILURES}_failure-${poisonedId}-${POISON_HANDLER}`;
}

/** Drawn by the runner, so that workers choose nothing. */
export interface WorkOrder {
  readonly n: number;
  /** Milliseconds. */
  readonly takes: number;
  readonly throwsFirst?: boolean;
  readonly followUp?: boolean;
  /** Ends when its `job.signal` says so, and not only when its time is over. */
  readonly heedsSignal?: boolean;
}

export interface WorkResult {
  readonly value: number;
  readonly attempt: number;
}

export interface FreezeResult {
  readonly attempt: number;
  readonly pid: number;
}

export type FreezeProgress = FreezeResult;

export function expectedValue(n: number): number {
  return n * 2 + 1;
}

/** The job that a late run tries to enqueue. */
export function lateJobId(id: string): string {
  return `late-${id}`;
}

export const LATE_LINE = 'from a run that another process had taken over';

/** Resolves when the runner names the job to this process. */
export function goesOn(id: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      if (message !== id) return;
      process.removeListener('message', listen);
      resolve();
    };
    process.on('message', listen);
  });
}

/** The tasks of most runs. Each says in the ledger that it was called, before anything else. */
@Injectable()
export class ChaosTasks {
  constructor(private readonly ledger: LedgerFile) {}

  @Task({ name: 'chaos.work', retry: { attempts: PLENTY_OF_ATTEMPTS, delay: 1, maxDelay: 10 } })
  async work(order: WorkOrder, job: JobContext): Promise<WorkResult> {
    const { id, attempt } = job;
    this.ledger.append({ what: 'run', id, attempt });
    try {
      await pause(order.takes, undefined, order.heedsSignal ? { signal: job.signal } : {});
      if (order.throwsFirst && attempt === 1) throw new Error('as ordered');
      if (order.followUp) await this.enqueueFollowUp(order.n, job);
    } catch (error) {
      this.ledger.append({ what: 'threw', id, attempt });
      throw error;
    }
    this.ledger.append({ what: 'finished', id, attempt });
    return { value: expectedValue(order.n), attempt };
  }

  /** Goes on only when it is told to; in the first run, that is when its process was frozen meanwhile. */
  @Task({ name: 'chaos.freeze', retry: { attempts: 5 } })
  async freeze(_payload: undefined, job: JobContext): Promise<FreezeResult> {
    const { id, attempt } = job;
    const mine: FreezeProgress = { attempt, pid: process.pid };
    const toldToGoOn = goesOn(id);
    if (attempt > 1) await job.progress(mine);
    this.ledger.append({ what: 'run', id, attempt });
    await toldToGoOn;
    if (attempt === 1) {
      await this.tryLate(job, 'progress', () => job.progress(mine));
      await this.tryLate(job, 'log', () => job.log(LATE_LINE));
      const order: WorkOrder = { n: 0, takes: 0 };
      await this.tryLate(job, 'enqueue', () => job.enqueue(task(ChaosTasks, 'work'), order, { id: lateJobId(id) }));
    }
    this.ledger.append({ what: 'finished', id, attempt });
    return mine;
  }

  /** Kills its own process, in every run but those that it throws in. */
  @Task({ name: 'chaos.poison', retry: { attempts: POISON_ATTEMPTS, delay: 1 } })
  async poison(payload: { throwsFirst: boolean }, job: JobContext): Promise<void> {
    const { id, attempt } = job;
    this.ledger.append({ what: 'run', id, attempt });
    if (payload.throwsFirst && attempt === 1) throw new Error('as ordered');
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {});
  }

  @OnFailure(
    { tasks: ['chaos.poison'] },
    { name: POISON_HANDLER, queue: FAILURES, retry: { attempts: PLENTY_OF_ATTEMPTS } },
  )
  onPoison({ id, error }: JobFailure, { attempt }: JobContext): void {
    this.ledger.append({ what: 'handled', id, attempt, error: error.name });
  }

  private async enqueueFollowUp(n: number, job: JobContext): Promise<void> {
    const order: WorkOrder = { n: n + 1, takes: 0 };
    const { id } = await job.enqueue(task(ChaosTasks, 'work'), order, { id: `follow-up-${n}` });
    this.ledger.append({ what: 'acknowledged', id, expected: expectedValue(order.n) });
  }

  private async tryLate(job: JobContext, call: LateCall, attempted: () => Promise<unknown>): Promise<void> {
    const error = await attempted().then(
      () => null,
      (refusal: Error) => refusal.name,
    );
    this.ledger.append({ what: 'late', id: job.id, attempt: job.attempt, call, error });
  }
}

export type Statuses = ReadonlyMap<string, JobStatus | null>;
