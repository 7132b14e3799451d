import { pipeline, type Readable } from 'node:stream';
import {
  ConflictException,
  Controller,
  Get,
  GoneException,
  Param,
  Req,
  Res,
  UnprocessableEntityException,
  UseFilters,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import type { JobStatus } from '../client/job-status.js';
import type { ByteRange } from '../results/result-store.js';
import { ResultGoneError } from '../results/result.errors.js';
import { BackendUnavailableFilter } from './backend-unavailable.filter.js';
import { rangeOf } from './byte-range.js';
import { JobAccess } from './job-access.js';
import { JOBS_PATH } from './job-urls.js';
import { describeOperation, idParameter, rangeParameter, TagJobs } from './openapi.js';
import { headerOf, rawRequest, rawResponse, takeReply, type PlatformRequest } from './platform.js';
import { contentOf, type ResultContent } from './result-content.js';

/** What a request has asked for of a result. */
interface Part {
  readonly status: number;
  readonly range?: ByteRange;
  readonly headers: Readonly<Record<string, string>>;
}

/** @internal */
@Controller({ path: JOBS_PATH, version: VERSION_NEUTRAL })
@UseFilters(BackendUnavailableFilter)
@TagJobs()
export class JobResultController {
  constructor(private readonly access: JobAccess) {}

  @Get(':id/result')
  @describeOperation({
    summary: 'The result of a job that succeeded, whatever its size',
    parameters: [idParameter, rangeParameter],
    responses: {
      200: 'The result: JSON, or what the task returned as a Buffer or a stream',
      206: 'The part of it that Range asks for',
      304: 'It is what If-None-Match names',
      403: 'Results are not allowed to this client; without an authorize function, to none',
      404: 'There is no such job',
      409: 'The job has not ended yet',
      410: 'The result is not kept any more',
      416: 'It has no such part',
      422: 'The job failed or was cancelled',
    },
  })
  async readResult(@Param('id') id: string, @Req() request: PlatformRequest, @Res() reply: unknown): Promise<void> {
    const status = await this.ended(request, id);
    const content = contentOf(status, this.access.results);
    const part = partOf(request, content);
    const body = part.status < 300 ? await this.open(content, part.range) : undefined;
    // Whoever answers in the place of what takes too long has not waited for the store.
    if (rawResponse(reply).headersSent) return void body?.destroy();
    const { response, headers } = takeReply(reply);
    response.writeHead(part.status, { ...headers, ...part.headers });
    // A client that goes takes the stream along; one that fails half-way ends without the bytes that were promised.
    if (body && !isHead(request)) return void pipeline(body, response, () => {});
    // Only whether it is there was asked.
    body?.destroy();
    response.end();
  }

  private async ended(request: PlatformRequest, id: string): Promise<JobStatus> {
    const status = await this.access.require(request, id, 'result');
    const { state, error, reason } = status;
    if (!status.terminal) {
      throw new ConflictException({ statusCode: 409, message: `The job "${id}" has not ended yet.`, state });
    }
    if (state === 'succeeded') return status;
    throw new UnprocessableEntityException({
      statusCode: 422,
      message: `The job "${id}" has no result: it ${state === 'failed' ? 'failed' : 'was cancelled'}.`,
      state,
      ...(error && { error }),
      ...(reason !== undefined && { reason }),
    });
  }

  private async open(content: ResultContent, range: ByteRange | undefined): Promise<Readable> {
    try {
      return await content.open(range);
    } catch (error) {
      if (error instanceof ResultGoneError) throw new GoneException('The result is not kept any more.');
      throw error;
    }
  }
}

function partOf(request: PlatformRequest, { size, etag, headers }: ResultContent): Part {
  const known = headerOf(request, 'if-none-match');
  if (known !== undefined && names(known, etag)) return { status: 304, headers: { ...headers, ETag: etag } };
  const condition = headerOf(request, 'if-range');
  const isAsked = !isHead(request) && (condition === undefined || condition === etag);
  const range = isAsked ? rangeOf(headerOf(request, 'range'), size) : undefined;
  if (range === 'unsatisfiable') return { status: 416, headers: { 'Content-Range': `bytes */${size}` } };
  const length = range ? range.end - range.start + 1 : size;
  const of = { ...headers, ETag: etag, 'Content-Length': String(length) };
  if (!range) return { status: 200, headers: of };
  return { status: 206, range, headers: { ...of, 'Content-Range': `bytes ${range.start}-${range.end}/${size}` } };
}

function isHead(request: PlatformRequest): boolean {
  return rawRequest(request).method === 'HEAD';
}

/** Proxies that compress make an ETag weak. */
function names(list: string, etag: string): boolean {
  return list.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag);
}
