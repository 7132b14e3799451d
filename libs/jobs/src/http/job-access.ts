import { ForbiddenException, Inject, Injectable, NotFoundException, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { JobReader } from '../client/job-reader.js';
import type { JobListOptions, JobListPage } from '../client/job-list-options.js';
import type { JobStatus } from '../client/job-status.js';
import { JobWatches } from '../client/job-watches.js';
import { JobsClient } from '../client/jobs-client.js';
import { JobsService } from '../client/jobs.service.js';
import { JOBS_HTTP_OPTIONS, type JobAction, type JobsHttpOptions } from './jobs-http.options.js';

/** Whether a request may do something with a job, and the job. @internal */
@Injectable()
export class JobAccess {
  constructor(
    private readonly moduleRef: ModuleRef,
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

  /**
   * The job, for a request that may do that with it.
   *
   * @throws {NotFoundException} when there is none; {@link ForbiddenException} when the request may not.
   */
  async require(request: unknown, id: string, action: JobAction): Promise<JobStatus> {
    // Before it is looked for: whether a job is there is nobody's business then.
    if (action !== 'read') this.requireDecider(action);
    const status = (await this.jobs.statuses([id]))[id];
    if (!status) throw notFound(id);
    if (await this.isAllowed(request, status, action)) return status;
    const { denied = action === 'read' ? 404 : 403 } = this.options;
    throw denied === 404 ? notFound(id) : new ForbiddenException(`You may not do that with the job "${id}".`);
  }

  /** A page of jobs, without those that the request may not see in a list. */
  async list(request: unknown, options: JobListOptions): Promise<JobListPage> {
    this.requireDecider('list');
    const { jobs, ...rest } = await this.jobs.list(options);
    const areAllowed = await Promise.all(jobs.map((job) => this.isAllowed(request, job, 'list')));
    return { jobs: jobs.filter((_job, n) => areAllowed[n]), ...rest };
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

function notFound(id: string): NotFoundException {
  return new NotFoundException(`There is no job "${id}".`);
}
