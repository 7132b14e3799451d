import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { readCancelMark, readCancelRequest } from '../client/cancel-mark.js';
import { readChildFailure } from '../client/child-failure.js';
import type { StoredJob } from '../client/envelope.js';
import { JobReader } from '../client/job-reader.js';
import type { JobStatus } from '../client/job-status.js';
import { JobsClient } from '../client/jobs-client.js';
import { retention } from '../client/prepared-job.js';
import { Queues } from '../client/queues.js';
import { readStatus } from '../client/read-status.js';
import { packResult, resultIn } from '../client/stored-result.js';
import type { Tell } from '../client/tell.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import { runOwnWork } from '../execution/own-work.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import type { CanvasFailure } from './canvas-failure.js';
import { CanvasFlows } from './canvas-flows.js';
import { memberPath, pathOf, replacementPath } from './canvas-ids.js';
import type { CanvasNodeWork, JobPlace } from './canvas-part.js';
import { AbandonedCanvasError } from './canvas.errors.js';
import { ChildResults } from './child-results.js';
import { compileCanvas } from './compile-canvas.js';
import type { FlowJob, Frame } from './flow-job.js';
import { startingAt, type PlacedCanvas } from './placed-canvas.js';

type Work<Kind> = CanvasNodeWork & { readonly k: Kind };

/** How long a look at a job that has not ended yet is put off, at first and at most. */
const FIRST_LOOK = 50;
const LONGEST_LOOK = 5_000;

/** Does the jobs of the library's own that a canvas has beside those of tasks. @internal */
@Injectable()
export class CanvasNodes {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly flows: CanvasFlows,
    private readonly results: ChildResults,
    private readonly reader: JobReader,
    private readonly client: JobsClient,
    private readonly queues: Queues,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  run(job: StoredJob, tell: Tell): Promise<AttemptOutcome> {
    return runOwnWork(job, tell, (mayHaveBegun) => this.work(job, job.data.c!.n!, mayHaveBegun));
  }

  private work(job: StoredJob, work: CanvasNodeWork, mayHaveBegun: boolean): Promise<AttemptOutcome> {
    switch (work.k) {
      case 'gather':
        return this.gather(job);
      case 'spawn':
        return this.spawn(job, work, mayHaveBegun);
      case 'gate':
        return this.passGate(job, work);
      case 'call':
        return this.call(job, work, mayHaveBegun);
    }
  }

  private async gather(job: StoredJob): Promise<AttemptOutcome> {
    return { kind: 'succeeded', result: await this.results.of(job) };
  }

  private async spawn(
    job: StoredJob,
    { o: owner, m: members, a }: Work<'spawn'>,
    mayHaveBegun: boolean,
  ): Promise<AttemptOutcome> {
    const { g, v } = job.data.c!;
    const before = v || g ? { before: { value: v ? v[0] : packResult(await this.results.of(job)) } } : {};
    // On Redis a member that failed and is added again is waited for without end.
    const there = mayHaveBegun ? await this.results.idsBelow(owner.q, owner.id) : new Set<string>();
    const frame = this.frameOf(job);
    const compile = function* (): Generator<FlowJob> {
      for (const [n, member] of members.entries()) {
        const path = memberPath(pathOf(owner.id), n);
        const flow = compileCanvas(member, { path, whenFailed: a ? 'ignore' : 'fail', ...before }, frame);
        if (!there.has(flow.opts.jobId)) yield flow;
      }
    };
    await this.flows.addBelow(owner, compile());
    await this.cancelWith(job, owner);
    return { kind: 'succeeded', result: members.length };
  }

  /** Of a job that is cancelled, and may have added others that nobody needs any more: a run of it may have died there. */
  async cancelAdded({ id, queueName, data }: StoredJob, reason: string | undefined): Promise<void> {
    const { n: work, x } = data.c ?? {};
    const owner = work?.k === 'spawn' ? work.o : x && { id: id!, q: queueName };
    if (owner) await this.client.cancelBelow(owner.q, owner.id, reason);
  }

  /** What was cancelled while jobs were added below it did not have them all yet. */
  async cancelWith(job: StoredJob, owner: JobPlace): Promise<void> {
    const [own] = await this.backend.deferredFailures(this.queues.get(job.queueName), [job.id!]);
    const found = await this.reader.find(owner.q, owner.id);
    const mark = readCancelRequest(own) ?? readCancelMark(found?.job.failedReason);
    if (mark) await this.client.cancelBelow(owner.q, owner.id, mark.reason);
  }

  private async passGate(job: StoredJob, { done, error }: Work<'gate'>): Promise<AttemptOutcome> {
    if (done) return { kind: 'succeeded', result: null };
    if (error !== undefined) throw new AbandonedCanvasError(`adding the members of the group ended with: ${error}`);
    // It was put off while the job was fetched.
    const now = (await this.reader.find(job.queueName, job.id!))?.job.data.c?.n as Work<'gate'> | undefined;
    if (now?.done) return { kind: 'succeeded', result: null };
    throw new AbandonedCanvasError();
  }

  private async call(
    job: StoredJob,
    { o: origin, at, c: canvas }: Work<'call'>,
    mayHaveBegun: boolean,
  ): Promise<AttemptOutcome> {
    const found = await this.reader.find(origin.q, origin.id);
    const status = found && readStatus(found.job, found.state);
    if (status && !status.terminal) {
      return { kind: 'released', until: Date.now() + Math.min(FIRST_LOOK * 2 ** job.attemptsStarted, LONGEST_LOOK) };
    }
    if (status && status.state !== at) {
      return { kind: 'skipped', reason: `job ${origin.id} is ${status.state}, not ${at}` };
    }
    const before = found && status ? endOf(found.job, status) : undefined;
    // The canvas is apart: nothing waits for it, and nothing fails with it.
    const place = { path: memberPath(pathOf(job.id!), 0), before: before ?? { value: job.data.c!.v![0] } };
    const flow = compileCanvas(startingAt(canvas, Date.now()), place, this.frameOf(job));
    const isThere = mayHaveBegun && (await this.reader.find(flow.queueName, flow.opts.jobId));
    if (!isThere) await this.flows.add(flow);
    this.logger.debug(`Job ${origin.id} ${at}: ${flow.opts.jobId} was started.`);
    return { kind: 'succeeded', result: flow.opts.jobId };
  }

  /** First stores what a job is replaced with, so that whoever has it next goes on with that; then adds it, as its child. */
  async replace(job: StoredJob, canvas: PlacedCanvas): Promise<void> {
    if (!job.data.c?.x) await job.updateData({ ...job.data, c: { ...job.data.c, x: canvas } });
    const path = replacementOf(job);
    const owner = { id: job.id!, q: job.queueName };
    const flow = compileCanvas(canvas, { path, whenFailed: 'fail' }, this.frameOf(job));
    if (!(await this.results.idsBelow(owner.q, owner.id)).has(flow.opts.jobId)) {
      await this.flows.addBelow(owner, [flow]);
    }
    await this.cancelWith(job, owner);
  }

  /** The result of what it has replaced itself with. */
  async resultOfReplacement(job: StoredJob): Promise<{ readonly value: unknown } | undefined> {
    const id = replacementOf(job);
    const values = await job.getChildrenValues<unknown>();
    const key = Object.keys(values).find((each) => each.endsWith(`_${id}`));
    return key === undefined ? undefined : { value: values[key] };
  }

  private frameOf({ id, data }: StoredJob): Frame {
    return { headers: data.h, rootId: data.r ?? id, stamps: data.t, retention: retention(this.options) };
  }
}

/** An id of the caller's may be that of another job later, which may be replaced as well. */
function replacementOf({ id, data, timestamp }: StoredJob): string {
  return replacementPath(data.n === undefined ? pathOf(id!) : `${pathOf(id!)}-${timestamp.toString(36)}`);
}

/** What callbacks get of a stored end: they may have been stored by a run before, which was to end in another way. */
function endOf(job: StoredJob, { state, error }: JobStatus): { readonly value: unknown } | undefined {
  if (state === 'succeeded') return job.data.k === 0 ? undefined : { value: packResult(resultIn(job.returnvalue)) };
  const { jobId, task } = readChildFailure(job.failedReason) ?? { jobId: job.id!, task: job.name };
  return { value: packResult({ jobId, task, error: error! } satisfies CanvasFailure) };
}
