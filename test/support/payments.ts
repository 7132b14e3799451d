import { Injectable } from '@nestjs/common';
import {
  JobContext,
  JobsService,
  Task,
  task,
  type EnqueueOptions,
  type JobHandle,
  type JobsModuleOptions,
  type TaskRef,
} from 'nestjs-jobs';
import type { TestBackend } from './backends.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from './jobs-app.js';

/** Tasks with names and places of several kinds, for tests of where jobs go. */
@Injectable()
export class Payments {
  constructor(private readonly jobs: JobsService) {}

  @Task({ name: 'payment.charge' })
  charge(_payload?: unknown): void {}

  @Task({ name: 'payment.refund', queue: 'bulk' })
  refund(): void {}

  @Task({ name: 'payment.settle', priority: 1 })
  settle(): void {}

  @Task({ name: 'mail.send' })
  send(): void {}

  @Task({ name: 'work.fail', retry: { attempts: 2 } })
  fail(): never {
    throw new Error('again, please');
  }

  @Task({ name: 'work.spawn' })
  async spawn(_payload: undefined, job: JobContext): Promise<string> {
    return (await this.jobs.enqueue(send, undefined, { headers: { from: job.task } })).id;
  }
}

const ref = (method: 'charge' | 'refund' | 'settle' | 'send' | 'spawn' | 'fail'): TaskRef<undefined> =>
  task(Payments, method) as TaskRef<undefined>;

export const [charge, refund, settle] = [ref('charge'), ref('refund'), ref('settle')];
export const [send, spawn, fail] = [ref('send'), ref('spawn'), ref('fail')];

export const queues = { critical: {}, high: {}, low: {}, bulk: {} };

/** An app whose jobs stay where they are sent, unless the options have workers. */
export class PaymentsApp {
  private constructor(private readonly started: JobsApp) {}

  static async start(
    backend: TestBackend,
    options: JobsModuleOptions,
    settings: Partial<JobsAppSettings> = {},
  ): Promise<PaymentsApp> {
    const common = { queues, workers: false, ...options };
    return new PaymentsApp(await startJobsApp({ backend, providers: [Payments], ...settings, options: common }));
  }

  get jobs(): JobsService {
    return this.started.jobs;
  }

  /** `queue/priority`, the latter as the engine has it, on Celery's scale. */
  async placeOf(job: JobHandle): Promise<string> {
    const queue = job.id.split('_')[0]!;
    const { opts } = (await this.jobs.queue(queue).getJob(job.id))!;
    return `${queue}/${10 - opts.priority!}`;
  }

  async placed(task: TaskRef<undefined>, options?: EnqueueOptions): Promise<string> {
    return this.placeOf(await this.jobs.enqueue(task, undefined, options));
  }

  close(): Promise<void> {
    return this.started.close();
  }
}
