import { ForbiddenException, GoneException, Inject, Injectable, NotFoundException, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { madeAt, queueOfJobId } from '../client/job-id.js';
import { JobReader } from '../client/job-reader.js';
import type { JobListOptions, JobListPage } from '../client/job-list-options.js';
import type { JobStatus } from '../client/job-status.js';
import { JobWatches } from '../client/job-watches.js';
import { JobsClient } from '../client/jobs-client.js';
import { JobsService } from '../client/jobs.service.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { StoredResults } from '../results/stored-results.js';
import { JOBS_HTTP_OPTIONS, type JobAction, type JobsHttpOptions } from './jobs-http.options.js';
import { ListCursors } from './list-cursors.js';

/** Whether a request may do something with a job, and the job. @internal */
@Injectable()
export class JobAccess {
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly cursors: ListCursors,
    @Inject(JOBS_HTTP_OPTIONS) private readonly options: JobsHttpOptions,
  ) {}

  get jobs(): JobsService {
    return this.find(JobsService);
  }

  get watches(): JobWatches {
    return this.find(JobWatches);
  }

  get reader(): JobReader {
    return this.find(JobReader);
  }

  get results(): StoredResults {
    return this.find(StoredResults);
  }

  /**
   * The job, for a request that may do that with it.
   *
   * @throws {NotFoundException} when there is none; {@link ForbiddenException} when the request may not.
   */
  async require(request: unknown, id: string, action: JobAction): Promise<JobStatus> {
    // Before it is looked for: whether a job is there is nobody's business then.
    if (action !== 'read') this.requireDecider(action);
    const status = (await this.jobs.statuses([id]))[id];
    if (!status) throw action === 'result' && (await this.wasKept(id)) ? expired(id) : notFound(id);
    if (await this.isAllowed(request, status, action)) return status;
    const { denied = action === 'read' ? 404 : 403 } = this.options;
    throw denied === 404 ? notFound(id) : new ForbiddenException(`You may not do that with the job "${id}".`);
  }

  /** What an id tells: that it was made so long ago that its job is not kept any more, or that this is still to be removed. */
  private async wasKept(id: string): Promise<boolean> {
    const { keepFor, queues } = this.moduleRef.get<ResolvedJobsOptions>(RESOLVED_OPTIONS, { strict: false });
    const queue = queueOfJobId(id);
    if (queue === undefined || !queues.has(queue)) return false;
    const made = madeAt(id);
    return (made !== undefined && made + keepFor < Date.now()) || (await this.reader.find(queue, id)) !== undefined;
  }

  /** A page of jobs, without those that the request may not see in a list. */
  async list(request: unknown, options: JobListOptions): Promise<JobListPage> {
    this.requireDecider('list');
    const { cursor: before } = options;
    const after = before === undefined ? {} : { cursor: await this.cursors.open(before) };
    const { jobs, cursor } = await this.jobs.list({ ...options, ...after });
    const areAllowed = await Promise.all(jobs.map((job) => this.isAllowed(request, job, 'list')));
    const next = cursor === undefined ? {} : { cursor: await this.cursors.seal(cursor) };
    return { jobs: jobs.filter((_job, n) => areAllowed[n]), ...next };
  }

  /** A status of a moment ago, with its place in the queue. */
  placed(status: JobStatus): Promise<JobStatus> {
    return this.find(JobsClient).placed(status);
  }

  async isAllowed(request: unknown, job: JobStatus, action: JobAction): Promise<boolean> {
    const { authorize } = this.options;
    return authorize ? authorize(request, job, action) : action === 'read';
  }

  private requireDecider(action: JobAction): void {
    if (this.options.authorize) return;
    throw new ForbiddenException(
      `This needs an authorize function of JobsHttpModule, which decides about "${action}".`,
    );
  }

  /** Wherever JobsModule is imported, also with `global: false`. */
  private find<T>(provider: Type<T>): T {
    return this.moduleRef.get(provider, { strict: false });
  }
}

function expired(id: string): GoneException {
  return new GoneException(`The job "${id}" is not kept any more, and its result neither.`);
}

function notFound(id: string): NotFoundException {
  return new NotFoundException(`There is no job "${id}".`);
}
