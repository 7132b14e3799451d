import { Injectable, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { JobContext, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
import type { TestBackend } from './backends.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';
import { signal } from './signals.js';

@Injectable()
class BeforeIt implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await Keyed.before((context.getArgs()[0] as { text: string }).text);
    return true;
  }
}

/** What jobs with keys do: by default they say that they ran and return their text. */
@Injectable()
export class Keyed {
  static ran: string[] = [];
  /** In a guard, which comes before the method. */
  static before: (text: string) => unknown = () => undefined;
  static during: (text: string, job: JobContext) => unknown = () => undefined;

  static reset(): void {
    Keyed.ran = [];
    Keyed.before = () => undefined;
    Keyed.during = () => undefined;
  }

  /** Each job whose text is this one stays in its method until it is told to go. */
  static hold(text: string): { begun: Promise<void>; go: () => void } {
    const [begun, open] = [signal(), signal()];
    const before = Keyed.during;
    Keyed.during = async (other, job) => {
      if (other !== text) return before(other, job);
      begun.reach();
      await open.reached;
    };
    return { begun: begun.reached, go: () => open.reach() };
  }

  @Task()
  @UseGuards(BeforeIt)
  async run({ text }: { text: string }, job: JobContext): Promise<string> {
    Keyed.ran.push(text);
    await Keyed.during(text, job);
    return text;
  }

  @Task({ retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  async retried(payload: { text: string }, job: JobContext): Promise<string> {
    return this.run(payload, job);
  }

  @Task({ retry: { attempts: 1 } })
  async once(payload: { text: string }, job: JobContext): Promise<string> {
    return this.run(payload, job);
  }
}

export const run = task(Keyed, 'run');
export const retried = task(Keyed, 'retried');
export const once = task(Keyed, 'once');

/** Nobody works the queue `idle`. */
export function startKeyed(backend: TestBackend, { queues, ...options }: JobsModuleOptions = {}): Promise<JobsApp> {
  return startJobsApp({
    backend,
    providers: [Keyed],
    options: {
      queues: { default: { concurrency: 8 }, other: {}, idle: {}, ...queues },
      workers: { except: ['idle'] },
      connectTimeout: '10s',
      ...options,
    },
  });
}
