import type { ApiHeaderOptions, ApiOperationOptions } from '@nestjs/swagger';
import { datasetNames } from './datasets.js';

const example = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'precipitation' };

export const userHeader: ApiHeaderOptions = {
  name: 'X-User',
  required: false,
  description:
    'Who asks. Taken on trust, because this service has no accounts; it goes along with the job. Each user may have 20 reports made in a minute; further ones wait for their time.',
  schema: { type: 'string', pattern: '^[\\w.@+-]{1,64}$' },
  example: 'ada',
};

export const createReportOperation: ApiOperationOptions = {
  summary: 'Start a report: statistics of one column for each value of another',
  description: [
    'Send a CSV file of up to 10 MB as the body (separated by comma, semicolon or tab; UTF-8) and name the columns in the query, or name one of the datasets in JSON.',
    'The answer comes at once. Poll `pollUrl` until `terminal` is true; `result.files` then has the links to the PDF and the summary CSV.',
    'Reports of one dataset are made one after the other: `waitingFor.kind` is `lock` meanwhile. It is `limit` while a user (`X-User`) has too many.',
    'A file that cannot be used fails the job, not the request: see `error.code` and `error.message` of the job.',
  ].join('\n\n'),
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['dataset', 'groupBy', 'measure'],
          additionalProperties: false,
          properties: {
            dataset: {
              type: 'string',
              enum: [...datasetNames],
              description: 'A CSV file of the package vega-datasets.',
            },
            groupBy: { type: 'string', description: 'The column whose values make the groups.' },
            measure: { type: 'string', description: 'The column with the numbers.' },
          },
        },
        example,
      },
      'text/csv': {
        schema: { type: 'string', description: 'A header line, then the rows. groupBy and measure go into the query.' },
        example: 'city,amount\nOslo,10\nBergen,2.5\nOslo,4\n',
      },
    },
  },
};
