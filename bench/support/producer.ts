import { newJobId } from '../../libs/jobs/src/client/job-id.js';
import { JobsService } from '../../libs/jobs/src/index.js';
import { mail, sendMail, startMailApp, type MailJob } from './mail-jobs.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

export interface ProducerSettings {
  /** `bare` is `raw` without id and options. */
  readonly producer: 'raw' | 'bare' | 'ours';
  readonly store: StoreAddress;
  /** What `raw` stores. */
  readonly like: MailJob;
  /** How many mails it will be asked for. */
  readonly jobs: number;
}

/** Enqueues mails. */
export interface Producer {
  /** `n`: below `jobs`, each once. Resolves with the id. */
  one(n: number): Promise<string>;
  many(first: number, count: number): Promise<unknown>;
  close(): Promise<void>;
}

export function openProducer(settings: ProducerSettings): Promise<Producer> {
  return settings.producer === 'ours' ? openOurs(settings) : openRaw(settings);
}

async function openOurs({ store }: ProducerSettings): Promise<Producer> {
  const app = await startMailApp(store);
  const jobs = app.get(JobsService);
  return {
    one: async (n) => (await jobs.enqueue(sendMail, mail(n))).id,
    many: (first, count) =>
      jobs.enqueueMany(Array.from({ length: count }, (_, n) => ({ task: sendMail, payload: mail(first + n) }))),
    close: () => app.close(),
  };
}

async function openRaw({ store, producer, like, jobs }: ProducerSettings): Promise<Producer> {
  const engine = await openRawEngine(store);
  const queue = engine.queue(QUEUE);
  const { name, opts } = like;
  // Made before any clock runs: BullMQ is given its ids.
  const ids = Array.from({ length: jobs }, () => newJobId(QUEUE));
  const optionsOf = producer === 'bare' ? () => undefined : (n: number) => ({ ...opts, jobId: ids[n]! });
  const jobOf = (n: number) => {
    const options = optionsOf(n);
    return { name, data: { p: mail(n) }, ...(options && { opts: options }) };
  };
  return {
    one: async (n) => {
      const job = await queue.add(name, { p: mail(n) }, optionsOf(n));
      return job.id!;
    },
    many: (first, count) => queue.addBulk(Array.from({ length: count }, (_, n) => jobOf(first + n))),
    close: async () => {
      await queue.close();
      await engine.disconnect();
    },
  };
}
