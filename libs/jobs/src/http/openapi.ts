import { SetMetadata } from '@nestjs/common';

/**
 * Descriptions for Swagger, under the metadata keys that @nestjs/swagger reads. Its decorators are not used, so that it
 * stays optional; a test holds the outcome against the real SwaggerModule.
 */
const KEYS = {
  tags: 'swagger/apiUseTags',
  operation: 'swagger/apiOperation',
  parameters: 'swagger/apiParameters',
  responses: 'swagger/apiResponse',
} as const;

type Schema = Record<string, unknown>;

interface OtherBody {
  contentType: string;
  schema: Schema;
  description: string;
}

interface Operation {
  summary: string;
  parameters?: Schema[];
  body?: Schema;
  /** By status: the schema of the body, or for an error what it means; for another body than JSON both, and its type. */
  responses: Record<number, Schema | OtherBody | string>;
}

/** Of every endpoint. */
const UNAVAILABLE = { 503: 'The store of the jobs is away' };

/** @internal */
export function TagJobs(): ClassDecorator {
  return SetMetadata(KEYS.tags, ['jobs']);
}

/** @internal */
export function describeOperation({ summary, parameters = [], body, responses }: Operation): MethodDecorator {
  // Swagger takes a body's schema as it is only beside a primitive type.
  const bodyParameter = body ? [{ in: 'body', type: String, required: true, schema: body }] : [];
  const described = Object.entries({ ...responses, ...UNAVAILABLE }).map(([status, response]) => {
    if (typeof response === 'string') return [status, { description: response }] as const;
    return [status, 'contentType' in response ? otherBody(response as OtherBody) : withSchema(response)] as const;
  });
  const decorators = [
    SetMetadata(KEYS.operation, { summary }),
    SetMetadata(KEYS.parameters, [...parameters, ...bodyParameter]),
    SetMetadata(KEYS.responses, Object.fromEntries(described)),
  ];
  return (target, method, descriptor) => {
    for (const decorate of decorators) decorate(target, method, descriptor);
  };
}

function withSchema(schema: Schema): Schema {
  return { description: '', schema };
}

function otherBody({ contentType, schema, description }: OtherBody): Schema {
  return { description, content: { [contentType]: { schema } } };
}

const id = { type: 'string', example: 'default_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11' };
/** @internal */
export const rangeParameter = {
  name: 'Range',
  in: 'header',
  required: false,
  description: 'One range of bytes, as in bytes=0-1023',
  schema: { type: 'string' },
};

const time = { type: 'string', format: 'date-time' };
const anything = { description: 'Any JSON value' };
const error = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    message: { type: 'string' },
    code: { type: 'string' },
    cause: { type: 'object', description: 'What it was caused by, as another such object' },
  },
  required: ['name', 'message'],
};

/** @internal */
export const idParameter: Schema = { name: 'id', in: 'path', required: true, schema: id };

/** @internal */
export const waitParameter: Schema = {
  name: 'wait',
  in: 'query',
  required: false,
  description:
    'Answers when the job has ended, or is not what If-None-Match names any more; after this time at the latest. At most 50s.',
  schema: { type: 'string', example: '30s' },
};

/** @internal */
export const ifNoneMatchParameter: Schema = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of an answer before',
  schema: { type: 'string' },
};

/** @internal */
export const lastEventIdParameter: Schema = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'The id of the last event that the client has had. EventSource sends it by itself',
  schema: { type: 'string' },
};

/** @internal */
export const EVENTS =
  '`state` (a job status), `stage`, `progress`, `log` (`{ line }`) and `gone` (the job is not kept any more), until the job has ended';

const STATES = ['scheduled', 'pending', 'blocked', 'running', 'retrying', 'succeeded', 'failed', 'cancelled'];

/** @internal */
export const jobStatusSchema: Schema = {
  type: 'object',
  properties: {
    id,
    task: { type: 'string' },
    queue: { type: 'string' },
    state: { type: 'string', enum: STATES },
    position: { type: 'integer', minimum: 0, description: 'How many jobs of its queue are before one that is pending' },
    reason: { type: 'string', description: 'Why it was cancelled, or why there was nothing to do' },
    cancelRequested: { type: 'boolean', description: 'It has been asked to stop, and has not ended yet' },
    stage: { type: 'object', properties: { name: { type: 'string' }, meta: anything } },
    progress: anything,
    attempt: { type: 'integer', description: 'The running or last attempt; 0 before the first' },
    maxAttempts: { type: 'integer' },
    attempts: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          attempt: { type: 'integer' },
          startedAt: { ...time, nullable: true, description: 'Null when it is not known: of one that was left behind' },
          endedAt: { ...time, nullable: true, description: 'Null while it runs, and of one that was left behind' },
          error,
          stalled: { type: 'boolean', description: 'Its process died or froze, so its end is not known' },
          leftRunning: { type: 'boolean', description: 'It was ended by its time limit, and its code may still run' },
        },
      },
    },
    createdAt: time,
    scheduledFor: time,
    startedAt: time,
    finishedAt: time,
    result: anything,
    deduplicatedBy: { ...id, description: 'The job whose result it has: with the same idempotency key' },
    error,
    rootId: { ...id, description: 'The job that it was enqueued from; absent when there is none' },
    parentId: { ...id, description: 'Of a part of a canvas: the job that waits for it' },
    failedJob: { ...id, description: 'The part of the canvas that it failed along with' },
    failureOf: { ...id, description: 'Of the job of a failure handler: the job that failed' },
    redriveOf: { ...id, description: 'The failed job that it does again' },
    redrivenAs: { ...id, description: 'The job that does this failed one again' },
    tags: { type: 'array', items: { type: 'string' } },
    waitingFor: {
      type: 'object',
      properties: {
        kind: { type: 'string', enum: ['unknown-task', 'lock', 'idempotency', 'limit'] },
        key: { type: 'string' },
        until: time,
      },
    },
    terminal: { type: 'boolean', description: 'Whether the state is final' },
  },
  required: ['id', 'task', 'queue', 'state', 'attempt', 'maxAttempts', 'attempts', 'createdAt', 'tags', 'terminal'],
};

/** @internal */
export const jobListSchema: Schema = {
  type: 'object',
  properties: {
    jobs: { type: 'array', items: jobStatusSchema },
    cursor: { type: 'string', description: 'For the next page; absent on the last one. A page may be short, or empty' },
  },
  required: ['jobs'],
};

function listParameter(name: string, schema: Schema, description: string): Schema {
  return { name, in: 'query', required: false, description, schema };
}

/** @internal */
export const listParameters: Schema[] = [
  listParameter('task', { type: 'string', example: 'payment.*' }, 'A name, in which * and ? stand for others'),
  {
    ...listParameter('state', { type: 'array', items: { type: 'string', enum: STATES } }, 'One or several'),
    style: 'form',
    explode: false,
  },
  listParameter('tag', { type: 'string' }, 'One of the tags of the job'),
  listParameter('queue', { type: 'string' }, 'A declared queue'),
  listParameter('limit', { type: 'integer', minimum: 1, maximum: 100, default: 50 }, 'Jobs in the page'),
  listParameter('cursor', { type: 'string' }, 'The cursor of the page before; with the same other parameters'),
];

/** @internal */
export const jobTreeSchema: Schema = {
  type: 'object',
  properties: {
    id,
    task: { type: 'string' },
    queue: { type: 'string' },
    state: { type: 'string', enum: STATES },
    attempt: { type: 'integer' },
    startedAt: time,
    finishedAt: time,
    error,
    failedJob: { ...id, description: 'The part of the canvas that it failed along with' },
    children: { type: 'array', items: { type: 'object', description: 'Another such object' } },
    more: { type: 'integer', description: 'How many children are not shown' },
  },
  required: ['id', 'task', 'queue', 'state', 'attempt', 'children'],
};

/** @internal */
export const batchSchema = {
  request: {
    type: 'object',
    properties: { ids: { type: 'array', items: id, minItems: 1, maxItems: 100 } },
    required: ['ids'],
  },
  response: {
    type: 'object',
    properties: { jobs: { type: 'object', additionalProperties: { ...jobStatusSchema, nullable: true } } },
    required: ['jobs'],
  },
} satisfies Record<string, Schema>;

/** @internal */
export const cancelledSchema: Schema = {
  type: 'object',
  properties: {
    cancelled: {
      type: 'boolean',
      description: 'True also for a job that runs: it has been asked to stop. False for one that had ended',
    },
  },
  required: ['cancelled'],
};

/** The body of a 202 answer made with `accepted(job)`, for the `@ApiAcceptedResponse` of an endpoint. @publicApi */
export const acceptedJobSchema: Schema = {
  type: 'object',
  properties: {
    id,
    state: {
      type: 'string',
      enum: STATES,
      description: '`pending` or `scheduled`, `blocked` for a canvas, unless the job was there before',
    },
    pollUrl: { type: 'string', example: `/jobs/${id.example}` },
  },
  required: ['id', 'state', 'pollUrl'],
};
