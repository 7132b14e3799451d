import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Res,
  UseFilters,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { JobsService } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { validated } from '../http/validated.js';
import { datasetNames } from '../reports/datasets.js';
import { requiredUser } from '../reports/requested-by.js';
import { ReportSchedules } from './report-schedules.js';
import { type ScheduleAnswer, scheduleAnswer, scheduleWithRuns, type ScheduleWithRuns } from './schedule-answer.js';
import { ScheduleRefusalsFilter } from './schedule-refusals.filter.js';
import { scheduleRequestSchema } from './schedule-request.js';
import { createScheduleOperation, ownerHeader, scheduleSchema, scheduleWithRunsSchema } from './schedules.openapi.js';

type RequestHeaders = Record<string, string>;

@ApiTags('schedules')
@ApiHeader(ownerHeader)
@ApiBadRequestResponse({ description: 'X-User or a field is missing or wrong; the message says which and why.' })
@ApiServiceUnavailableResponse({ description: 'The schedules cannot be read or stored right now. Try again.' })
@Controller('schedules')
@UseFilters(BackendUnavailableFilter, ScheduleRefusalsFilter)
export class SchedulesController {
  private readonly requests: ReturnType<typeof scheduleRequestSchema>;

  constructor(
    private readonly schedules: ReportSchedules,
    private readonly jobs: JobsService,
    @Inject(ConfigService) config: EnvironmentConfig,
  ) {
    this.requests = scheduleRequestSchema(datasetNames, config.get('SCHEDULE_MIN_INTERVAL_MS', { infer: true }));
  }

  @Post()
  @ApiOperation(createScheduleOperation)
  @ApiCreatedResponse({ description: 'It is stored; its next times are in `next`.', schema: scheduleSchema })
  @ApiConflictResponse({ description: 'The user has as many schedules as he may.' })
  async create(
    @Headers() headers: RequestHeaders,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ScheduleAnswer> {
    const info = await this.schedules.create(requiredUser(headers), validated(this.requests, body));
    response.location(`/schedules/${info.name}`);
    return scheduleAnswer(info);
  }

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'The schedules of a user' })
  @ApiOkResponse({
    schema: {
      type: 'object',
      required: ['schedules'],
      properties: { schedules: { type: 'array', items: scheduleSchema } },
    },
  })
  async list(@Headers() headers: RequestHeaders): Promise<{ schedules: ScheduleAnswer[] }> {
    return { schedules: (await this.schedules.list(requiredUser(headers))).map(scheduleAnswer) };
  }

  @Get(':name')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'A schedule, with the reports that it started last' })
  @ApiOkResponse({ schema: scheduleWithRunsSchema })
  @ApiNotFoundResponse({ description: 'The user has no such schedule.' })
  async get(@Headers() headers: RequestHeaders, @Param('name') name: string): Promise<ScheduleWithRuns> {
    const info = await this.schedules.find(requiredUser(headers), name);
    return scheduleWithRuns(info, await this.jobs.statuses(info.runs.map(({ id }) => id)));
  }

  @Post(':name/pause')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Has it start no reports until it is resumed' })
  @ApiOkResponse({ schema: scheduleSchema })
  @ApiNotFoundResponse({ description: 'The user has no such schedule.' })
  async pause(@Headers() headers: RequestHeaders, @Param('name') name: string): Promise<ScheduleAnswer> {
    return scheduleAnswer(await this.schedules.pause(requiredUser(headers), name));
  }

  @Post(':name/resume')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Has it go on; times that have passed meanwhile are not made up for' })
  @ApiOkResponse({ schema: scheduleSchema })
  @ApiNotFoundResponse({ description: 'The user has no such schedule.' })
  async resume(@Headers() headers: RequestHeaders, @Param('name') name: string): Promise<ScheduleAnswer> {
    return scheduleAnswer(await this.schedules.resume(requiredUser(headers), name));
  }

  @Post(':name/trigger')
  @ApiOperation({ summary: 'Starts its report now, also while it is paused; its times stay as they are' })
  @ApiAcceptedResponse({ description: 'The report will be made; poll it at pollUrl.', schema: acceptedJobSchema })
  @ApiNotFoundResponse({ description: 'The user has no such schedule.' })
  async trigger(@Headers() headers: RequestHeaders, @Param('name') name: string): Promise<AcceptedJob> {
    return accepted(await this.schedules.trigger(requiredUser(headers), name));
  }

  @Delete(':name')
  @HttpCode(HttpStatus.NO_CONTENT)
  @ApiOperation({ summary: 'Removes it; reports that it has started are made all the same' })
  @ApiNoContentResponse({ description: 'It is gone.' })
  @ApiNotFoundResponse({ description: 'The user has no such schedule.' })
  async delete(@Headers() headers: RequestHeaders, @Param('name') name: string): Promise<void> {
    await this.schedules.delete(requiredUser(headers), name);
  }
}
