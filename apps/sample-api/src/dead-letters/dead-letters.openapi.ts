import type { ApiQueryOptions } from '@nestjs/swagger';

type Query = ApiQueryOptions & { name: string };

const query = (name: string, description: string, example?: string): Query => ({
  name,
  description,
  required: false,
  type: String,
  ...(example !== undefined && { example }),
});

export const deadLetterQueries: readonly Query[] = [
  query('task', 'The name of a task; `*` stands for any characters.', 'webhooks.*'),
  query('queue', 'The name of a queue.'),
  query('error', 'The name of the error that the job failed with.', 'DeliveryFailedError'),
  query('tag', 'One of the tags of the job.'),
  query('from', 'Failed at this time or later: ISO 8601 with a time zone.'),
  query('to', 'Failed before this time: ISO 8601 with a time zone.'),
  { ...query('limit', 'Letters in the page, 1 to 200; 50 when left out.'), type: Number },
  query('cursor', 'The `nextCursor` of the page before; give the same filters with it.'),
];

export const deadLetterPageSchema = {
  type: 'object',
  required: ['letters'],
  properties: {
    letters: {
      type: 'array',
      description: 'The job that failed last comes first.',
      items: {
        type: 'object',
        description: 'What `GET /jobs/{id}` says of the job, with its payload.',
        required: ['id', 'task', 'queue', 'state', 'attempts'],
        properties: {
          id: { type: 'string' },
          task: { type: 'string' },
          queue: { type: 'string' },
          state: { type: 'string', enum: ['failed'] },
          error: { type: 'object', description: 'Name, message, code and cause of the last error.' },
          attempts: { type: 'array', items: { type: 'object' } },
          payload: { description: 'What the job was to do.' },
          redrivenAs: { type: 'string', description: 'The job that does it again.' },
        },
      },
    },
    nextCursor: { type: 'string', description: 'For the next page; absent on the last one.' },
  },
};
