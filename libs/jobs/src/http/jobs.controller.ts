import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  ForbiddenException,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  Req,
  UseFilters,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { JobTree } from '../client/job-tree.js';
import type { JobStatus } from '../client/job-status.js';
import { JobsService } from '../client/jobs.service.js';
import { BackendUnavailableFilter } from './backend-unavailable.filter.js';
import { JOBS_PATH } from './job-urls.js';
import { JOBS_HTTP_OPTIONS, type JobAction, type JobsHttpOptions } from './jobs-http.options.js';
import {
  batchSchema,
  cancelledSchema,
  describeOperation,
  idParameter,
  jobStatusSchema,
  jobTreeSchema,
  TagJobs,
} from './openapi.js';

const MAX_BATCH = 100;

/** @internal */
@Controller({ path: JOBS_PATH, version: VERSION_NEUTRAL })
@UseFilters(BackendUnavailableFilter)
@TagJobs()
export class JobsController {
  constructor(
    private readonly moduleRef: ModuleRef,
    @Inject(JOBS_HTTP_OPTIONS) private readonly options: JobsHttpOptions,
  ) {}

  /** Wherever JobsModule is imported, also with `global: false`. */
  private get jobs(): JobsService {
    return this.moduleRef.get(JobsService, { strict: false });
  }

  @Get(':id')
  @describeOperation({
    summary: 'Where a job stands, with its result or error once it has ended',
    parameters: [idParameter],
    responses: { 200: jobStatusSchema, 404: 'There is no such job, or it is not kept any more' },
  })
  async read(@Param('id') id: string, @Req() request: unknown): Promise<JobStatus> {
    const status = await this.find(id);
    if (!(await this.isAllowed(request, status, 'read'))) throw new NotFoundException(`There is no job "${id}".`);
    return status;
  }

  @Get(':id/tree')
  @describeOperation({
    summary: 'The parts of a canvas: the job, and those that it waits for',
    parameters: [idParameter],
    responses: {
      200: jobTreeSchema,
      403: 'Trees are not allowed to this client; without an authorize function, to none',
      404: 'There is no such job, or it is not kept any more',
    },
  })
  async readTree(@Param('id') id: string, @Req() request: unknown): Promise<JobTree> {
    if (!this.options.authorize) throw new ForbiddenException('Reading trees of jobs is not enabled.');
    const status = await this.find(id);
    if (!(await this.isAllowed(request, status, 'tree'))) throw new ForbiddenException(`You may not read "${id}".`);
    return this.jobs.job(id).tree();
  }

  @Post('batch-status')
  @HttpCode(200)
  @describeOperation({
    summary: `Where up to ${MAX_BATCH} jobs stand; null for those that are not there`,
    body: batchSchema.request,
    responses: { 200: batchSchema.response, 400: 'The body is not { ids: [up to 100 ids] }' },
  })
  async readMany(
    @Body() body: { ids?: unknown } | undefined,
    @Req() request: unknown,
  ): Promise<{ jobs: Record<string, JobStatus | null> }> {
    const found = await this.jobs.statuses(requireIds(body?.ids));
    const jobs = Object.entries(found).map(async ([id, status]) => {
      return [id, status && (await this.isAllowed(request, status, 'read')) ? status : null] as const;
    });
    return { jobs: Object.fromEntries(await Promise.all(jobs)) };
  }

  @Delete(':id')
  @HttpCode(202)
  @describeOperation({
    summary: 'Cancels a job, and those that it waits for; what runs is asked to stop',
    parameters: [idParameter],
    responses: {
      202: cancelledSchema,
      403: 'Cancelling is not allowed to this client; without an authorize function, to none',
      404: 'There is no such job, or it is not kept any more',
    },
  })
  async cancel(@Param('id') id: string, @Req() request: unknown): Promise<{ cancelled: boolean }> {
    if (!this.options.authorize) throw new ForbiddenException('Cancelling jobs is not enabled.');
    const status = await this.find(id);
    if (!(await this.isAllowed(request, status, 'cancel'))) throw new ForbiddenException(`You may not cancel "${id}".`);
    return { cancelled: await this.jobs.job(id).cancel({ flow: true }) };
  }

  private async find(id: string): Promise<JobStatus> {
    const status = (await this.jobs.statuses([id]))[id];
    if (!status) throw new NotFoundException(`There is no job "${id}".`);
    return status;
  }

  private async isAllowed(request: unknown, job: JobStatus, action: JobAction): Promise<boolean> {
    const { authorize } = this.options;
    return authorize ? authorize(request, job, action) : action === 'read';
  }
}

function requireIds(ids: unknown): string[] {
  const isList = Array.isArray(ids) && ids.length > 0 && ids.length <= MAX_BATCH;
  if (isList && ids.every((id) => typeof id === 'string')) return ids;
  throw new BadRequestException(`"ids" must be a list of 1 to ${MAX_BATCH} job ids, as in { "ids": ["default_..."] }.`);
}
