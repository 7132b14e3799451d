import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Req,
  Res,
  UseFilters,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import type { JobListPage } from '../client/job-list-options.js';
import type { JobStatus } from '../client/job-status.js';
import type { JobTree } from '../client/job-tree.js';
import { accepted, type AcceptedJob } from './accepted.js';
import { BackendUnavailableFilter } from './backend-unavailable.filter.js';
import { JobAccess } from './job-access.js';
import { JobErrorsFilter } from './job-errors.filter.js';
import { readListQuery } from './list-query.js';
import { JobStreams } from './job-streams.js';
import { JOBS_PATH } from './job-urls.js';
import { etagOf, isKnown, LongPolls, waitOf } from './long-poll.js';
import {
  acceptedJobSchema,
  batchSchema,
  cancelledSchema,
  describeOperation,
  EVENTS,
  idParameter,
  ifNoneMatchParameter,
  jobListSchema,
  jobStatusSchema,
  jobTreeSchema,
  lastEventIdParameter,
  listParameters,
  TagJobs,
  waitParameter,
} from './openapi.js';
import type { PlatformReply, PlatformRequest } from './platform.js';
import { TaskDurations } from './task-durations.js';

const MAX_BATCH = 100;

/** @internal */
@Controller({ path: JOBS_PATH, version: VERSION_NEUTRAL })
@UseFilters(BackendUnavailableFilter, JobErrorsFilter)
@TagJobs()
export class JobsController {
  constructor(
    private readonly access: JobAccess,
    private readonly durations: TaskDurations,
    private readonly streams: JobStreams,
    private readonly polls: LongPolls,
  ) {}

  @Get()
  @describeOperation({
    summary: 'The jobs that fit, a page at a time',
    parameters: listParameters,
    responses: {
      200: jobListSchema,
      400: 'A parameter is not what it must be',
      403: 'Lists are not allowed without an authorize function',
    },
  })
  list(@Req() request: PlatformRequest): Promise<JobListPage> {
    return this.access.list(request, readListQuery(request));
  }

  @Get(':id')
  @describeOperation({
    summary: 'Where a job stands, with its result or error once it has ended; with ?wait=30s as soon as it has',
    parameters: [idParameter, waitParameter, ifNoneMatchParameter],
    responses: {
      200: jobStatusSchema,
      304: 'It is what If-None-Match names',
      400: '`wait` is not a time',
      404: 'There is no such job, or it is not kept any more',
    },
  })
  async read(
    @Param('id') id: string,
    @Req() request: PlatformRequest,
    @Res({ passthrough: true }) reply: PlatformReply,
  ): Promise<JobStatus | undefined> {
    const wait = waitOf(request);
    const now = await this.access.require(request, id, 'read');
    const status = await this.polls.untilNews(request, reply, now, wait);
    if (!status) throw new NotFoundException(`There is no job "${id}".`);
    const etag = etagOf(status);
    reply.header('ETag', etag);
    reply.header('Cache-Control', 'no-cache');
    if (!status.terminal) reply.header('Retry-After', String(this.durations.retryAfter(status)));
    this.durations.learn(status);
    if (!isKnown(request, etag)) return this.access.placed(status);
    reply.status(304);
    return undefined;
  }

  @Get(':id/events')
  @describeOperation({
    summary: 'What becomes of a job, as server-sent events: state, stage, progress, log',
    parameters: [idParameter, lastEventIdParameter],
    responses: {
      200: { contentType: 'text/event-stream', schema: { type: 'string' }, description: EVENTS },
      204: 'Last-Event-ID is that of the end: there is nothing more',
      403: 'Events are not allowed to this client; without an authorize function, to none',
      404: 'There is no such job, or it is not kept any more',
    },
  })
  async follow(@Param('id') id: string, @Req() request: PlatformRequest, @Res() reply: unknown): Promise<void> {
    const { terminal } = await this.access.require(request, id, 'events');
    this.streams.start(id, terminal, request, reply);
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
    await this.access.require(request, id, 'tree');
    return this.access.jobs.job(id).tree();
  }

  @Post(':id/redrive')
  @HttpCode(202)
  @describeOperation({
    summary: 'Does a job that failed again, as a new job',
    parameters: [idParameter],
    responses: {
      202: acceptedJobSchema,
      403: 'That is not allowed to this client; without an authorize function, to none',
      404: 'There is no such job, or it is not kept any more',
      409: 'It has not failed, or cannot be done again',
    },
  })
  async redrive(@Param('id') id: string, @Req() request: unknown): Promise<AcceptedJob> {
    await this.access.require(request, id, 'redrive');
    return accepted(await this.access.jobs.deadLetters.redrive(id));
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
    const found = await this.access.jobs.statuses(requireIds(body?.ids));
    const jobs = Object.entries(found).map(async ([id, status]) => {
      return [id, status && (await this.access.isAllowed(request, status, 'read')) ? status : null] as const;
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
    await this.access.require(request, id, 'cancel');
    return { cancelled: await this.access.jobs.job(id).cancel({ flow: true }) };
  }
}

function requireIds(ids: unknown): string[] {
  const isList = Array.isArray(ids) && ids.length > 0 && ids.length <= MAX_BATCH;
  if (isList && ids.every((id) => typeof id === 'string')) return ids;
  throw new BadRequestException(`"ids" must be a list of 1 to ${MAX_BATCH} job ids, as in { "ids": ["default_..."] }.`);
}
