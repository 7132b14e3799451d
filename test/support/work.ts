import { Injectable } from '@nestjs/common';
import { JobContext, NonRetryableError, Task } from 'nestjs-jobs';
import type { TestBackend } from './backends.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';
import { signal, type Signal } from './signals.js';

/** Tasks for the conformance suite; gates let a test hold a job where it wants it. */
@Injectable()
export class Work {
  static gates = new Map<string, { entered: Signal; open: Signal }>();
  static order: string[] = [];
  static active = 0;
  static mostActive = 0;

  static gate(name: string): { entered: Signal; open: Signal } {
    const gate = { entered: signal(), open: signal() };
    Work.gates.set(name, gate);
    return gate;
  }

  @Task()
  echo<T>(payload: T): T {
    return payload;
  }

  @Task()
  nothing(): void {}

  @Task({ name: 'work.gated' })
  async gated(payload: { gate: string }): Promise<string> {
    const gate = Work.gates.get(payload.gate)!;
    gate.entered.reach();
    await gate.open.reached;
    return payload.gate;
  }

  @Task({ queue: 'narrow' })
  async narrow(payload: { gate: string }): Promise<void> {
    Work.active++;
    Work.mostActive = Math.max(Work.mostActive, Work.active);
    await this.gated(payload);
    Work.active--;
  }

  @Task({ queue: 'single' })
  async single(payload: { name: string; gate?: string }): Promise<void> {
    Work.order.push(payload.name);
    if (payload.gate) await this.gated({ gate: payload.gate });
  }

  @Task({ retry: { attempts: 3, delay: '20ms', jitter: 'none' } })
  failsTwice(_payload: { key: string }, job: JobContext): number {
    if (job.attempt < 3) throw Object.assign(new Error(`attempt ${job.attempt} failed`), { code: 'E_TEST' });
    return job.attempt;
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  alwaysFails(): never {
    throw Object.assign(new TypeError('broken\u0000 for good'), { code: 'E_BROKEN' });
  }

  @Task()
  givesUp(): never {
    throw new NonRetryableError('no use', { code: 'E_NO_USE' });
  }

  @Task()
  returnsDate(): unknown {
    return { rows: [{ when: new Date() }] };
  }

  @Task()
  async tells(payload: { gate: string }, job: JobContext): Promise<void> {
    await job.stage('VALIDATING', { step: 1 });
    await job.progress(10);
    await job.log('began');
    await this.gated({ gate: `${payload.gate}-1` });
    await job.stage('PROCESSING');
    await job.progress({ done: 2, of: 3 });
    await this.gated({ gate: `${payload.gate}-2` });
  }

  @Task()
  context(_payload: undefined, job: JobContext): Record<string, unknown> {
    return {
      same: JobContext.current() === job,
      id: job.id,
      task: job.task,
      queue: job.queue,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
    };
  }

  @Task()
  startedAt(_payload: undefined, job: JobContext): { startedAt: number; scheduledFor: string | null } {
    return { startedAt: Date.now(), scheduledFor: job.scheduledFor?.toISOString() ?? null };
  }
}

@Injectable()
export class Slow {
  @Task({ name: 'Work.slow', retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  fails(): never {
    throw new Error('try me in an hour');
  }
}

export const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** An app with these tasks, and a queue each for three jobs and for one job at a time. */
export function startWork(backend: TestBackend): Promise<JobsApp> {
  return startJobsApp({
    backend,
    providers: [Work, Slow],
    options: {
      queues: { narrow: { concurrency: 3 }, single: { concurrency: 1 } },
      payload: { maxSize: '2kb' },
      results: { keepFor: '1h' },
    },
  });
}
