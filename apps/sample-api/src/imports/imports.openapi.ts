import type { ApiOperationOptions, ApiResponseSchemaHost } from '@nestjs/swagger';
import { ROWS_PER_CHUNK } from './read-upload.js';

const count = (description: string) => ({ type: 'integer', minimum: 0, description });
const cents = { type: 'integer', description: 'In cents.' };

export const importReportSchema: ApiResponseSchemaHost['schema'] = {
  type: 'object',
  required: ['rows', 'accepted', 'rejected', 'refused', 'chunks', 'amounts', 'rejectedRows', 'refusedChunks'],
  properties: {
    rows: count('All rows of the file: those accepted, rejected and refused.'),
    accepted: count('Rows that are imported.'),
    rejected: count('Rows that are wrong, each for itself.'),
    refused: count('Rows of chunks that could not be read.'),
    chunks: count('The jobs that read the rows.'),
    amounts: {
      type: 'object',
      nullable: true,
      properties: { total: cents, smallest: cents, largest: cents },
      description: 'Of the accepted rows; null when there is none.',
    },
    rejectedRows: {
      type: 'array',
      maxItems: 100,
      description: 'The first of the rejected rows: at most 20 of each chunk, and 100 in all.',
      items: {
        type: 'object',
        properties: {
          line: { type: 'integer', example: 17 },
          reason: { type: 'string', example: 'email "ada" is not an address' },
        },
      },
    },
    refusedChunks: {
      type: 'array',
      maxItems: 20,
      description: 'The first of the refused chunks.',
      items: {
        type: 'object',
        properties: {
          line: { type: 'integer', description: 'The first line of the chunk.' },
          rows: { type: 'integer' },
          code: { type: 'string', example: 'ENCODING_INVALID' },
          message: { type: 'string' },
        },
      },
    },
    refusedChunksLeftOut: count('How many more chunks were refused.'),
  },
};

export const createImportOperation: ApiOperationOptions = {
  summary: 'Import rows of name, email and amount, in parallel',
  description: [
    'Send a CSV file of up to 10 MB as the body (separated by comma, semicolon or tab; UTF-8) whose header has the columns `name`, `email` and `amount`; further columns are left alone.',
    `The answer comes at once. The rows are checked in chunks of ${ROWS_PER_CHUNK}, larger ones in a long file, each by a job of its own. Then the reports of the chunks become one, its summary is written, and a notice with it.`,
    'Poll `pollUrl` until `terminal` is true; `result` is then the report, as in `result.files.summary`. `GET /jobs/{id}/tree` has the parts.',
    'A row that is wrong is rejected and told of by its line. A chunk that cannot be read, because its quotes do not match or it is not UTF-8, is refused as a whole. All other rows are imported.',
  ].join('\n\n'),
  requestBody: {
    required: true,
    content: {
      'text/csv': {
        schema: { type: 'string', description: 'A header line, then the rows.' },
        example: 'name,email,amount\nAda,ada@example.com,19.99\nGrace,grace@example.com,5\n',
      },
    },
  },
};
