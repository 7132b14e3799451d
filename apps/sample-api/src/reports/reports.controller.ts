import { Controller, Post, Req, UnsupportedMediaTypeException, UseFilters } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiHeader,
  ApiOperation,
  ApiPayloadTooLargeResponse,
  ApiQuery,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnsupportedMediaTypeResponse,
} from '@nestjs/swagger';
import type { Request } from 'express';
import { JobsService, task, type JobHandle } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import { announcedBytes, mediaType, refuseCompressed } from '../csv/receive-csv.js';
import { validated } from '../http/validated.js';
import { CsvUploads } from './csv-uploads.js';
import { datasetNames } from './datasets.js';
import type { GenerateReport, ReportSummary } from './generate-report.payload.js';
import { datasetRequestSchema, uploadQuerySchema } from './report-request.js';
import { ReportStore } from './report-store.js';
import { type RequestedBy, requestedBy } from './requested-by.js';
import { createReportOperation, userHeader } from './reports.openapi.js';
import { Reports } from './reports.task.js';

const datasetRequest = datasetRequestSchema(datasetNames);
const columnQuery = { type: String, required: false };

@ApiTags('reports')
@Controller('reports')
@UseFilters(BackendUnavailableFilter)
export class ReportsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly uploads: CsvUploads,
    private readonly store: ReportStore,
  ) {}

  @Post()
  @ApiOperation(createReportOperation)
  @ApiHeader(userHeader)
  @ApiQuery({ ...columnQuery, name: 'measure', description: 'With text/csv: the column with the numbers.' })
  @ApiQuery({ ...columnQuery, name: 'groupBy', description: 'With text/csv: the column whose values make the groups.' })
  @ApiBadRequestResponse({ description: 'A parameter is missing or wrong; the message says which and what it may be.' })
  @ApiPayloadTooLargeResponse({ description: 'The CSV file is larger than 10 MB.' })
  @ApiUnsupportedMediaTypeResponse({ description: 'Neither text/csv nor application/json.' })
  @ApiServiceUnavailableResponse({ description: 'The job could not be stored right now. Try again.' })
  @ApiAcceptedResponse({ description: 'The report will be made; poll it at pollUrl.', schema: acceptedJobSchema })
  async create(@Req() request: Request): Promise<AcceptedJob> {
    const by = requestedBy(request.headers);
    switch (mediaType(request)) {
      case 'application/json': {
        const { dataset, ...columns } = validated(datasetRequest, request.body);
        return accepted(await this.enqueue({ source: { kind: 'dataset', name: dataset }, ...columns }, by));
      }
      case 'text/csv':
        return accepted(await this.enqueueUpload(request, by));
      default:
        throw new UnsupportedMediaTypeException(
          'Send a CSV file as the body with "Content-Type: text/csv", or name a dataset in JSON with "Content-Type: application/json".',
        );
    }
  }

  private async enqueueUpload(request: Request, by: RequestedBy): Promise<JobHandle<ReportSummary>> {
    refuseCompressed(request);
    const columns = validated(uploadQuerySchema, request.query);
    const id = await this.uploads.receive(request, announcedBytes(request));
    try {
      return await this.enqueue({ source: { kind: 'upload', id }, ...columns }, by);
    } catch (error) {
      await this.store.removeUpload(id);
      throw error;
    }
  }

  private enqueue(payload: GenerateReport, headers: RequestedBy): Promise<JobHandle<ReportSummary>> {
    return this.jobs.enqueue(task(Reports, 'generate'), payload, { headers });
  }
}
