import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobsModule, Task, task, type JobContext } from '../../libs/jobs/src/index.js';
import type { Mail } from './mail-jobs.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** Is told of what a task sees. */
export abstract class StopWatch {
  abstract begun(n: number): void;
  abstract aborted(n: number): void;
}

@Injectable()
class LongMails {
  constructor(private readonly watch: StopWatch) {}

  /** Runs until it is asked to stop. */
  @Task({ name: 'mails.long', retry: { attempts: 1 } })
  async send({ n }: Mail, job: JobContext): Promise<void> {
    await new Promise<void>((resolve) => {
      job.signal.addEventListener('abort', () => {
        this.watch.aborted(n);
        resolve();
      });
      this.watch.begun(n);
    });
    job.signal.throwIfAborted();
  }
}

export const sendLong = task(LongMails, 'send');

/** An app that enqueues and cancels, and works as well when it is told how. */
export function startCancellableApp(
  store: StoreAddress,
  workers?: { readonly concurrency: number; readonly watch: StopWatch },
): Promise<INestApplicationContext> {
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    queues: { [QUEUE]: workers ? { concurrency: workers.concurrency } : {} },
    workers: workers !== undefined,
  });
  class CancellableModule {}
  const providers = workers ? [LongMails, { provide: StopWatch, useValue: workers.watch }] : [];
  const module = { module: CancellableModule, providers, imports: [jobs] };
  return NestFactory.createApplicationContext(module, { logger: false });
}
