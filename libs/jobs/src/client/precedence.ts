import type { StoredJob } from './envelope.js';

/** BullMQ's first priority, which nothing is enqueued with. */
const BEFORE_ALL = 0;

/** Has an active job come before all others of its queue when it is due again. @internal */
export async function takePrecedence(job: StoredJob): Promise<void> {
  if (job.priority !== BEFORE_ALL) await job.changePriority({ priority: BEFORE_ALL });
}

/** Whether a job of ours comes before all others: it was woken, came at a reserved time, or was given back. @internal */
export function hasPrecedence({ priority, opts }: StoredJob): boolean {
  return priority === BEFORE_ALL && (opts.priority ?? BEFORE_ALL) !== BEFORE_ALL;
}

/** For what comes after this run. In memory it stays: by it is known that a job may have been given back. @internal */
export async function losePrecedence(job: StoredJob): Promise<void> {
  const { priority } = job;
  await job.changePriority({ priority: job.opts.priority! });
  job.priority = priority;
}
