import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { JobsOptions } from 'bullmq';
import { JobsModule, JobsService, Task, task } from '../../libs/jobs/src/index.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { openRawEngine, startRawWorkers, type RawQueue } from './raw-engine.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** What such jobs usually carry: ids, a few words, a small object. */
export interface Mail {
  readonly n: number;
  readonly to: string;
  readonly template: string;
  readonly locale: string;
  readonly values: { readonly name: string; readonly orderId: string; readonly items: readonly string[] };
}

/** Does what a task does. */
export abstract class Postbox {
  abstract put(n: number): void | Promise<void>;
}

@Injectable()
class Mails {
  constructor(private readonly postbox: Postbox) {}

  @Task({ name: 'mails.send' })
  send({ n }: Mail): void | Promise<void> {
    return this.postbox.put(n);
  }
}

export const sendMail = task(Mails, 'send');

export function mail(n: number): Mail {
  return {
    n,
    to: 'ada.lovelace@example.com',
    template: 'order-confirmed',
    locale: 'en-GB',
    values: { name: 'Ada Lovelace', orderId: '0193d3a1-5c1f-7c8e-9a53-8d1e6f0b7a42', items: ['sku-1138', 'sku-2187'] },
  };
}

/** A job as BullMQ stores it. */
export interface MailJob {
  readonly id: string;
  readonly name: string;
  readonly data: { readonly p: Mail };
  /** Without the id. */
  readonly opts: JobsOptions;
}

export interface MailWorkers {
  readonly queues: readonly string[];
  readonly concurrency: number;
}

/** An app that enqueues, and sends as well when it is told how. */
export function startMailApp(
  store: StoreAddress,
  workers?: MailWorkers & { postbox: Postbox },
): Promise<INestApplicationContext> {
  const queues = workers?.queues.map((name) => [name, { concurrency: workers.concurrency }] as const) ?? [];
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    defaultQueue: workers?.queues[0] ?? QUEUE,
    queues: Object.fromEntries(queues),
    workers: workers !== undefined,
  });
  class MailModule {}
  const providers = workers ? [Mails, { provide: Postbox, useValue: workers.postbox }] : [];
  return NestFactory.createApplicationContext(
    { module: MailModule, providers, imports: [jobs] },
    { logger: ['error'] },
  );
}

/** Works mails with this library, or with BullMQ alone. Returns what stops it. */
export async function startMailWorkers(
  worker: 'raw' | 'ours',
  store: StoreAddress,
  workers: MailWorkers,
  postbox: Postbox,
): Promise<() => Promise<void>> {
  if (worker === 'raw') {
    return startRawWorkers(store, workers, async ({ data }) => postbox.put((data as { p: Mail }).p.n));
  }
  const app = await startMailApp(store, { ...workers, postbox });
  return () => app.close();
}

/** What this library makes of a mail, so that BullMQ alone can be told to store the same. The store has its tables then. */
export async function sampleMail(store: StoreAddress): Promise<MailJob> {
  const app = await startMailApp(store);
  const { id } = await app.get(JobsService).enqueue(sendMail, mail(0));
  // The directory of an embedded store is open in one place at a time.
  await app.close();
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const job = await readMail(queue, id);
  await queue.close();
  await engine.disconnect();
  return job;
}

/** As it is stored, but for what differs between any two jobs. */
export async function readMail(queue: RawQueue, id: string): Promise<MailJob> {
  const job = await queue.getJob(id);
  if (!job) throw new Error(`There is no job ${id}.`);
  const { jobId: _id, ...opts } = job.opts;
  const { p } = job.data as { p: Mail };
  return { id, name: job.name, data: { p: { ...p, n: 0 } }, opts };
}
