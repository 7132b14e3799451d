import { createHash } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { WaitingError, type JobsOptions as EngineOptions } from 'bullmq';
import { toEnginePriority, type JobEnvelope, type StoredJob } from '../client/envelope.js';
import { CALLERS_ID, callersJobId } from '../client/job-id.js';
import { retention } from '../client/prepared-job.js';
import { Queues } from '../client/queues.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import { JobEvents } from '../events/job-events.js';
import { UnknownTaskError } from '../execution/execution.errors.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import { FailureHandlers, type FailureHandler } from './failure-handlers.js';
import { failureAhead, type JobFailure } from './job-failure.js';

interface EngineJob {
  readonly name: string;
  readonly data: JobEnvelope;
  readonly opts: EngineOptions & { readonly jobId: string };
}

/** By then the failure is stored, most often; without it, a handler job would be fetched and put back first. */
const HEAD_START = 100;

/** Stores the jobs of the handlers of a failure, before the failure itself: no crash can come in between and lose them. @internal */
@Injectable()
export class FailureIntents {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly handlers: FailureHandlers,
    private readonly queues: Queues,
    private readonly events: JobEvents,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * Its ids are the same each time, so that the store keeps one job, however often the job fails for the last time. A store
   * that refuses them is asked again for {@link REFUSED_FOR}, while the job is held; after that it fails without handlers.
   *
   * @param report - what the job is about to end with.
   */
  async write(job: StoredJob, error: unknown, report: Error, tell: Tell): Promise<void> {
    try {
      // Handlers of handlers would call each other without end.
      if (job.data.f !== undefined) await this.forgetLostHandler(job, error, tell);
      else await this.writeAll(job, error, report, tell);
    } catch (refusal) {
      // The job is not in this worker's hands any more; whoever has it next writes them.
      if (refusal instanceof WaitingError) throw refusal;
      this.logger.error(`Handlers may not be called for the failure of job ${job.id}: ${(refusal as Error).message}`);
    }
  }

  /** A run that was left behind may have written of a failure that was never stored, and now the job ends well. */
  async withdraw(job: StoredJob, tell: Tell): Promise<void> {
    try {
      await tell(async () => {
        for (const { name, queue } of await this.handlers.ofTask(job.name)) {
          const written = await this.queues.get(queue).getJob(handlerJobId(queue, job, name));
          if (written && written.finishedOn === undefined) await written.updateData({ ...written.data, u: 1 });
        }
      });
    } catch (refusal) {
      if (refusal instanceof WaitingError) throw refusal;
      // The handler finds out by itself as long as this job is kept.
      this.logger.debug(`Handlers are not told that job ${job.id} ended well: ${(refusal as Error).message}`);
    }
  }

  private async writeAll(job: StoredJob, error: unknown, report: Error, tell: Tell): Promise<void> {
    let handlers: FailureHandler[] = [];
    await tell(async () => {
      handlers = await this.handlers.of(job.name, error);
    }, REFUSED_FOR);
    if (handlers.length === 0) return;
    const failure = failureAhead(job, report);
    for (const queueName of new Set(handlers.map(({ queue }) => queue))) {
      const ofQueue = handlers.filter(({ queue }) => queue === queueName);
      const jobs = ofQueue.map((handler) => this.jobOf(handler, job, failure));
      const add = (): Promise<void> =>
        tell(async () => {
          await this.queues.get(queueName).addBulk(jobs);
        }, REFUSED_FOR);
      const sent = jobs.map((each) => ({ ...each, id: each.opts.jobId, queue: queueName }));
      await this.events.sending(sent, add, () => true);
    }
  }

  private async forgetLostHandler(job: StoredJob, error: unknown, tell: Tell): Promise<void> {
    if (error instanceof UnknownTaskError) await tell(() => this.handlers.forget(job.name));
  }

  private jobOf(handler: FailureHandler, origin: StoredJob, failure: JobFailure): EngineJob {
    const { name, queue, attempts, priority, expiresIn, keepResult } = handler;
    const { h } = origin.data;
    return {
      name,
      data: {
        p: failure,
        ...(h && { h }),
        r: origin.data.r ?? origin.id!,
        ...(expiresIn !== null && { x: Date.now() + HEAD_START + expiresIn }),
        ...(!keepResult && { k: 0 as const }),
        f: origin.id!,
      },
      opts: {
        jobId: handlerJobId(queue, origin, name),
        attempts,
        backoff: { type: DECIDED_BACKOFF },
        priority: toEnginePriority(priority),
        delay: HEAD_START,
        ...retention(this.options),
      },
    };
  }
}

function handlerJobId(queue: string, { id, timestamp, data }: StoredJob, handler: string): string {
  // An id of the caller's may be that of another job later, which may fail as well.
  const which = data.n === undefined ? id! : `${id}-${timestamp.toString(36)}`;
  const plain = `failure-${which}-${handler}`;
  if (CALLERS_ID.test(plain)) return callersJobId(queue, plain);
  return callersJobId(queue, `failure-${createHash('sha256').update(plain).digest('hex').slice(0, 32)}`);
}
