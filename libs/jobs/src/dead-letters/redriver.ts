import { Inject, Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { StoredJob } from '../client/envelope.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { checkPayload } from '../task/schema-check.js';
import { TaskRegistry } from '../task/task.registry.js';
import { redrivenJob } from './redriven-job.js';
import type { Redriven } from './redrive-report.js';

/** Makes new jobs for failed ones. @internal */
@Injectable()
export class Redriver {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly registry: TaskRegistry,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * First the new jobs, then the links to them: when the process dies in between, the next call makes the same ids, and
   * the store keeps the jobs that it has. The links hold when those jobs have long ended and are not kept any more.
   *
   * @throws {@link BackendUnavailableError}, with some of them done perhaps.
   */
  async redrive(failed: readonly StoredJob[]): Promise<(Redriven | Error)[]> {
    const outcomes = new Map<StoredJob, Redriven | Error>();
    const accepted: StoredJob[] = [];
    for (const job of failed) {
      const refusal = await this.refusalOf(job);
      if (job.data.w !== undefined) outcomes.set(job, { id: job.data.w, created: false });
      else if (refusal) outcomes.set(job, refusal);
      else accepted.push(job);
    }
    const prepared = accepted.map((job) => redrivenJob(job, this.options));
    const answers = prepared.length > 0 ? await this.client.sendPrepared(prepared) : [];
    const away = answers.find((answer) => answer instanceof BackendUnavailableError);
    if (away instanceof Error) throw away;
    const sent = accepted.filter((job, n) => {
      const answer = answers[n];
      if (answer instanceof Error) outcomes.set(job, answer);
      return !(answer instanceof Error);
    });
    const newIds = new Map(accepted.map((job, n) => [job, prepared[n]!.id]));
    const linked = await this.link(sent, newIds);
    for (const job of sent) outcomes.set(job, { id: newIds.get(job)!, created: linked.has(job.id!) });
    return failed.map((job) => outcomes.get(job)!);
  }

  /** Its schema may be another one by now. A process without the task's code knows none, and leaves it to the worker. */
  private async refusalOf(job: StoredJob): Promise<Error | undefined> {
    const schema = this.registry.find(job.name)?.input;
    if (!schema || job.data.w !== undefined) return undefined;
    try {
      await checkPayload(job.name, schema, job.data.p);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  private async link(jobs: readonly StoredJob[], newIds: ReadonlyMap<StoredJob, string>): Promise<Set<string>> {
    const linked = new Set<string>();
    for (const queueName of new Set(jobs.map((job) => job.queueName))) {
      const links = jobs
        .filter((job) => job.queueName === queueName)
        .map((job) => ({ jobId: job.id!, redrivenAs: newIds.get(job)! }));
      const ids = await this.client.reach(() => this.backend.failed.link(this.queues.get(queueName), links));
      for (const id of ids) linked.add(id);
    }
    return linked;
  }
}
