import { ForbiddenException, GoneException, Inject, Injectable, NotFoundException, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { madeAt, queueOfJobId } from '../client/job-id.js';
import { JobReader, type JobLog } from '../client/job-reader.js';
import type { JobListOptions, JobListPage } from '../client/job-list-options.js';
import type { JobStatus } from '../client/job-status.js';
import { JobWatches } from '../client/job-watches.js';
import { JobsClient } from '../client/jobs-client.js';
import { JobsService } from '../client/jobs.service.js';
import { readStatus } from '../client/read-status.js';
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
    const found = status ?? (action === 'result' ? await this.expiredStatus(id) : undefined);
    if (!found) throw this.absent(id, action);
    if (!(await this.isAllowed(request, found, action))) {
      const { denied = action === 'read' ? 404 : 403 } = this.options;
      throw denied === 404
        ? this.absent(id, action)
        : new ForbiddenException(`You may not do that with the job "${id}".`);
    }
    if (!status) throw expired(id);
    return status;
  }

  /** Of a job that is not kept any more, and still to be removed. */
  private async expiredStatus(id: string): Promise<JobStatus | undefined> {
    const queue = queueOfJobId(id);
    if (queue === undefined || !this.settings.queues.has(queue)) return undefined;
    const found = await this.reader.find(queue, id);
    return found && readStatus(found.job, found.state);
  }

  /** An id may tell that it was made so long ago that its job is not kept any more, whether there was one or not. */
  private absent(id: string, action: JobAction): NotFoundException | GoneException {
    const { keepFor, queues } = this.settings;
    const made = action === 'result' && queues.has(queueOfJobId(id) ?? '') ? madeAt(id) : undefined;
    return made !== undefined && made + keepFor < Date.now() ? expired(id) : notFound(id);
  }

  private get settings(): ResolvedJobsOptions {
    return this.moduleRef.get<ResolvedJobsOptions>(RESOLVED_OPTIONS, { strict: false });
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

  /** Lines that a job has logged, after so many of them. */
  log(id: string, after: number, most: number): Promise<JobLog> {
    return this.find(JobsClient).reach(() => this.reader.log(id, after, most));
  }

  async isAllowed(request: unknown, job: JobStatus, action: JobAction): Promise<boolean> {
    const { authorize } = this.options;
    // Whatever else JavaScript takes for true, like the answer of a directory that says no, allows nothing.
    return authorize ? (await authorize(request, job, action)) === true : action === 'read';
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
