import { Inject, Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { ChildResults } from '../canvas/child-results.js';
import { PayloadTooLargeError } from '../client/client.errors.js';
import type { StoredJob } from '../client/envelope.js';
import { jsonSizeOver } from '../client/json-size.js';
import { JobsClient } from '../client/jobs-client.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { describeError } from '../retry/attempt-record.js';
import { checkPayload } from '../task/schema-check.js';
import { TaskRegistry } from '../task/task.registry.js';
import { DeadLetterNotFoundError, NotRedrivableError } from './dead-letter.errors.js';
import { DeadLetterReader } from './dead-letter-reader.js';
import { redrivenJob } from './redriven-job.js';
import type { Redriven } from './redrive-report.js';

/** Makes new jobs for failed ones. @internal */
@Injectable()
export class Redriver {
  constructor(
    private readonly queues: Queues,
    private readonly client: JobsClient,
    private readonly registry: TaskRegistry,
    private readonly reader: DeadLetterReader,
    private readonly results: ChildResults,
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
    const payloads = new Map<StoredJob, unknown>();
    let accepted: StoredJob[] = [];
    let wereChecked = false;
    for (const job of failed) {
      if (job.data.w !== undefined) {
        outcomes.set(job, redrivenBefore(job.data.w));
        continue;
      }
      wereChecked ||= this.isChecked(job);
      try {
        payloads.set(job, await this.payloadOf(job));
        accepted.push(job);
      } catch (error) {
        if (error instanceof BackendUnavailableError) throw error;
        // A schema is the app's code, which may throw anything.
        outcomes.set(job, error instanceof Error ? error : new Error(describeError(error).message, { cause: error }));
      }
    }
    if (wereChecked) accepted = await this.stillWaiting(accepted, outcomes);
    const prepared = accepted.map((job) => redrivenJob(job, payloads.get(job), this.options));
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

  private isChecked({ name, data }: StoredJob): boolean {
    return data.c?.j !== undefined || this.registry.find(name)?.input !== undefined;
  }

  /**
   * What it is done again with. Its schema may be another one by now; a process without the task's code knows none, and
   * leaves that to the worker.
   */
  private async payloadOf(job: StoredJob): Promise<unknown> {
    const { name, data } = job;
    const { n: work, j, r } = data.c ?? {};
    if (work && work.k !== 'call') throw new NotRedrivableError(job.id!);
    let payload = data.p;
    // What was too large to be kept with it, or never was one.
    if (j !== undefined) {
      payload = await this.client.reach(() => this.results.payloadOf(job));
      const { maxPayloadSize } = this.options;
      const size = jsonSizeOver(payload, maxPayloadSize);
      if (size !== undefined) throw new PayloadTooLargeError(name, size, maxPayloadSize);
    }
    const schema = this.registry.find(name)?.input;
    if (!schema) return payload;
    for (const each of r ? (payload as unknown[]) : [payload]) await checkPayload(name, schema, each);
    return payload;
  }

  /** A check takes as long as the app's code wants: meanwhile they were thrown away perhaps, or redriven by others. */
  private async stillWaiting(
    jobs: readonly StoredJob[],
    outcomes: Map<StoredJob, Redriven | Error>,
  ): Promise<StoredJob[]> {
    const places = jobs.map((job) => ({ queue: job.queueName, id: job.id!, at: job.finishedOn! }));
    const now = await this.reader.load(places);
    return jobs.filter((job, n) => {
      const link = now[n]?.data.w;
      if (!now[n]) outcomes.set(job, new DeadLetterNotFoundError(job.id!));
      else if (link !== undefined) outcomes.set(job, redrivenBefore(link));
      return now[n] && link === undefined;
    });
  }

  private async link(jobs: readonly StoredJob[], newIds: ReadonlyMap<StoredJob, string>): Promise<Set<string>> {
    const linked = new Set<string>();
    for (const queueName of new Set(jobs.map((job) => job.queueName))) {
      const links = jobs
        .filter((job) => job.queueName === queueName)
        .map((job) => ({ jobId: job.id!, at: job.finishedOn!, redrivenAs: newIds.get(job)! }));
      const ids = await this.client.reach(() => this.backend.failed.link(this.queues.get(queueName), links));
      for (const id of ids) linked.add(id);
    }
    return linked;
  }
}

function redrivenBefore(id: string): Redriven {
  return { id, created: false };
}
