import {
  BadRequestException,
  Controller,
  Get,
  Header,
  NotFoundException,
  Param,
  Post,
  Req,
  StreamableFile,
  UnsupportedMediaTypeException,
  UseFilters,
} from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiPayloadTooLargeResponse,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnsupportedMediaTypeResponse,
} from '@nestjs/swagger';
import type { Request } from 'express';
import { randomUUID } from 'node:crypto';
import { JobsService, task } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import { InputProblem } from '../csv/input-problem.js';
import { announcedBytes, mediaType, receiveCsv, refuseCompressed } from '../csv/receive-csv.js';
import { ImportStore, SUMMARY_FILE } from './import-store.js';
import { UPLOAD_LIFE } from './import.payload.js';
import { createImportOperation, importReportSchema } from './imports.openapi.js';
import { Imports } from './imports.task.js';
import { readLayout } from './read-upload.js';

@ApiTags('imports')
@Controller('imports')
@UseFilters(BackendUnavailableFilter)
export class ImportsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly store: ImportStore,
  ) {}

  @Post()
  @ApiOperation(createImportOperation)
  @ApiBadRequestResponse({
    description: 'The body is no CSV file, is empty, or lacks a column; the message says which.',
  })
  @ApiPayloadTooLargeResponse({ description: 'The CSV file is larger than 10 MB.' })
  @ApiUnsupportedMediaTypeResponse({ description: 'Not text/csv, or compressed.' })
  @ApiServiceUnavailableResponse({ description: 'The job could not be stored right now. Try again.' })
  @ApiAcceptedResponse({ description: 'It will be imported; poll it at pollUrl.', schema: acceptedJobSchema })
  async create(@Req() request: Request): Promise<AcceptedJob> {
    if (mediaType(request) !== 'text/csv') {
      throw new UnsupportedMediaTypeException('Send a CSV file as the body with "Content-Type: text/csv".');
    }
    refuseCompressed(request);
    const upload = randomUUID();
    const path = await this.store.uploadPath(upload);
    await receiveCsv(request, announcedBytes(request), path);
    try {
      const layout = await readLayout(path);
      // Whatever becomes of the import: of one that is cancelled nobody else would remove it.
      await this.jobs.enqueue(task(Imports, 'discard'), { upload }, { delay: UPLOAD_LIFE });
      return accepted(await this.jobs.enqueue(task(Imports, 'run'), { upload, layout }));
    } catch (error) {
      await this.store.removeUpload(upload);
      throw error instanceof InputProblem ? new BadRequestException(error.message) : error;
    }
  }

  @Get(`:id/${SUMMARY_FILE}`)
  @Header('Cache-Control', 'private, no-cache')
  @Header('X-Content-Type-Options', 'nosniff')
  @ApiOperation({ summary: 'What became of the rows of a finished import' })
  @ApiOkResponse({ schema: importReportSchema })
  @ApiNotFoundResponse({ description: 'There is no import of this job, or it is not finished.' })
  async summary(@Param('id') id: string): Promise<StreamableFile> {
    const file = await this.store.openSummary(id);
    if (file === undefined) throw new NotFoundException('There is no such import, or it is not finished yet.');
    const { size } = await file.stat();
    return new StreamableFile(file.createReadStream(), { type: 'application/json; charset=utf-8', length: size });
  }
}
