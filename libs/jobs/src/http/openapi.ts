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

interface Operation {
  summary: string;
  parameters?: Schema[];
  body?: Schema;
  /** By status: the schema of the body, or for an error what it means. */
  responses: Record<number, Schema | string>;
}

/** @internal */
export function TagJobs(): ClassDecorator {
  return SetMetadata(KEYS.tags, ['jobs']);
}

/** @internal */
export function describeOperation({ summary, parameters = [], body, responses }: Operation): MethodDecorator {
  // Swagger takes a body's schema as it is only beside a primitive type.
  const bodyParameter = body ? [{ in: 'body', type: String, required: true, schema: body }] : [];
  const described = Object.entries(responses).map(([status, response]) => {
    const entry = typeof response === 'string' ? { description: response } : { description: '', schema: response };
    return [status, entry] as const;
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

const STATES = ['scheduled', 'pending', 'blocked', 'running', 'retrying', 'succeeded', 'failed', 'cancelled'];

/** @internal */
export const jobStatusSchema: Schema = {
  type: 'object',
  properties: {
    id,
    task: { type: 'string' },
    queue: { type: 'string' },
    state: { type: 'string', enum: STATES },
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
