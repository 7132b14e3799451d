import type { ApiOperationOptions } from '@nestjs/swagger';
import { datasetNames } from './datasets.js';

const example = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'precipitation' };

export const createReportOperation: ApiOperationOptions = {
  summary: 'Start a report: statistics of one column for each value of another',
  description: [
    'Send a CSV file of up to 10 MB as the body (separated by comma, semicolon or tab; UTF-8) and name the columns in the query, or name one of the datasets in JSON.',
    'The answer comes at once. Poll `pollUrl` until `terminal` is true; `result.files` then has the links to the PDF and the summary CSV.',
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
