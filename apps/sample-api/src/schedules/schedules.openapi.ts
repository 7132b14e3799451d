import type { ApiHeaderOptions, ApiOperationOptions, ApiResponseSchemaHost } from '@nestjs/swagger';
import { datasetNames } from '../reports/datasets.js';
import { userHeader } from '../reports/reports.openapi.js';

type Schema = ApiResponseSchemaHost['schema'];

export const ownerHeader: ApiHeaderOptions = {
  ...userHeader,
  required: true,
  description:
    'Whose schedules these are. Taken on trust, because this service has no accounts. Schedules of others are answered 404.',
};

const count = (description: string) => ({ type: 'integer', minimum: 0, description });
const time = (description: string) => ({ type: 'string', format: 'date-time', description });

const properties = {
  name: { type: 'string', description: 'Made by the service.', example: 'report-7f0c5c3a-2b0e-4b5f-9b43-0d2f6d0a7c11' },
  description: {
    type: 'string',
    description: 'When it fires, in words.',
    example: 'At 06:00, Monday through Friday (Europe/Berlin)',
  },
  cron: { type: 'string', example: '0 6 * * MON-FRI' },
  timeZone: { type: 'string', example: 'Europe/Berlin' },
  dataset: { type: 'string' },
  groupBy: { type: 'string' },
  measure: { type: 'string' },
  state: { type: 'string', enum: ['active', 'paused', 'ended'] },
  next: {
    type: 'array',
    maxItems: 5,
    description: 'The next five times; none while it is paused.',
    items: { type: 'string', format: 'date-time' },
  },
  createdAt: time('When it was made.'),
  pausedAt: time('Since when it is paused.'),
  sent: count('Reports that were started at their times.'),
  missed: count('Times for which none was, since the service was down.'),
  skipped: count('Times for which none was, since the report before was still being made.'),
  lag: { type: 'integer', description: 'How late the last report was started, in milliseconds.' },
};

const required = [
  'name',
  'description',
  'cron',
  'timeZone',
  'dataset',
  'groupBy',
  'measure',
  'state',
  'next',
  'createdAt',
  'sent',
  'missed',
  'skipped',
];

export const scheduleSchema = { type: 'object', required, properties } satisfies Schema;

export const scheduleWithRunsSchema: Schema = {
  type: 'object',
  required: [...required, 'runs'],
  properties: {
    ...properties,
    runs: {
      type: 'array',
      maxItems: 20,
      description: 'The reports that it started last, the newest first.',
      items: {
        type: 'object',
        required: ['id', 'scheduledFor', 'sentAt', 'by', 'pollUrl', 'state'],
        properties: {
          id: { type: 'string', description: 'Of the job.' },
          scheduledFor: time('The time that it is for.'),
          sentAt: time('When it was started.'),
          by: {
            type: 'string',
            enum: ['schedule', 'trigger', 'backfill'],
            description: 'Its time had come, or somebody wanted it.',
          },
          pollUrl: { type: 'string' },
          state: {
            type: 'string',
            nullable: true,
            description: 'Of the job, as in `GET /jobs/{id}`; null when it is not kept any more.',
          },
          files: {
            type: 'object',
            description: 'Of a finished report.',
            properties: { pdf: { type: 'string' }, csv: { type: 'string' } },
          },
        },
      },
    },
  },
};

export const createScheduleOperation: ApiOperationOptions = {
  summary: 'Have a report made again and again, at the times of a cron expression',
  description: [
    '`cron` has five fields, or six with the seconds first, and is read in `timeZone` (UTC when left out). How near two times may be is for the operator to say: a minute, unless he has.',
    'A time that comes while the report before is still being made is skipped. After an outage of at most a day one report makes up for those that were missed.',
    'The reports count for the limit of 20 in a minute that each user has.',
  ].join('\n\n'),
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['cron', 'dataset', 'groupBy', 'measure'],
          additionalProperties: false,
          properties: {
            cron: { type: 'string', maxLength: 100, description: 'Five fields, or six with the seconds first.' },
            timeZone: { type: 'string', default: 'UTC', description: 'Of the IANA, as in Europe/Berlin.' },
            dataset: {
              type: 'string',
              enum: [...datasetNames],
              description: 'A CSV file of the package vega-datasets.',
            },
            groupBy: { type: 'string', description: 'The column whose values make the groups.' },
            measure: { type: 'string', description: 'The column with the numbers.' },
          },
        },
        example: {
          cron: '0 6 * * MON-FRI',
          timeZone: 'Europe/Berlin',
          dataset: 'seattle-weather',
          groupBy: 'weather',
          measure: 'precipitation',
        },
      },
    },
  },
};
