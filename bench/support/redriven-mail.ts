import type { JobsOptions } from 'bullmq';
import type { Mail } from './mail-jobs.js';
import type { RawJob } from './raw-engine.js';

/** A job that does a dead letter again, as it is stored, but for what differs between any two. */
export interface RedrivenMail {
  readonly name: string;
  readonly data: { readonly p: Mail };
  /** Without the id. */
  readonly opts: JobsOptions;
  /** Characters of its id, less those of its queue's name. */
  readonly idLength: number;
  /** The same of the id of the dead letter. */
  readonly ofLength: number;
}

export function asRedriven(job: RawJob): RedrivenMail {
  // Postgres keeps the time of the enqueue there as well.
  const { jobId: _id, timestamp: _time, ...opts } = job.opts;
  const { p, o } = job.data as { p: Mail; o: string };
  const withoutQueue = (id: string): number => id.length - id.indexOf('_');
  return {
    name: job.name,
    data: { p: { ...p, n: 0 } },
    opts,
    idLength: withoutQueue(job.id!),
    ofLength: withoutQueue(o),
  };
}
