import { BadRequestException, HttpException, IntrinsicException, type ExecutionContext } from '@nestjs/common';
import { InvalidArgumentError, requireText } from '../client/invalid-argument.error.js';
import { NonRetryableError } from './execution.errors.js';
import type { JobContext } from './job-context.js';

const LONGEST_KEY = 500;

/** Beside the payload, what the key of `@Idempotent`, `@Locked` or `@RateLimited` may be made of. @publicApi */
export interface CallSource {
  /** Those of the job, or of the request (in lower case). */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** In a task. */
  readonly job?: JobContext;
  /** In an HTTP handler: the request of Express or Fastify, with what guards have put there. */
  readonly request?: unknown;
}

/**
 * Makes the key of a call: of a task's payload as it was enqueued, before a schema or pipes; in an HTTP handler of the
 * body of the request, whatever the handler's first parameter is. 1 to 500 characters.
 *
 * @publicApi
 */
export type KeyOf<Payload> = (payload: Payload, source: CallSource) => string | undefined;

/** What was to be the key of a lock, a limit or an idempotent task, or the cost under a limit, is none. Not tried again. @publicApi */
export class InvalidKeyError extends NonRetryableError {
  override readonly name = 'InvalidKeyError';
}

/** @throws {InvalidKeyError} @internal */
export function keyOfTask(decorator: string, key: KeyOf<never>, payload: unknown, job: JobContext): string {
  const made = madeOf(`the key of ${decorator}`, () => key(payload as never, sourceOf(job)), refuseJob);
  return isPlainKey(made) ? made : checked(decorator, made, refuseJob);
}

/** @throws BadRequestException: whoever sent the request left out what the key is made of. @internal */
export function keyOfRequest(decorator: string, key: KeyOf<never>, context: ExecutionContext): string {
  const make = (): unknown => key(bodyOf(context) as never, requestSource(context));
  return checked(decorator, madeOf(`the key of ${decorator}`, make, refuseRequest), refuseRequest);
}

/** @internal */
export function sourceOf(job: JobContext): CallSource {
  return { headers: job.headers, job };
}

/** How bad input of a job is refused. @internal */
export function refuseJob(message: string, cause?: unknown): Error {
  return new InvalidKeyError(message, { cause });
}

/** @internal */
export function refuseRequest(message: string, cause?: unknown): Error {
  return new BadRequestException(message, { cause: cause as Error });
}

/** The code of the app reads input that nothing has checked yet. @internal */
export function madeOf<Made>(what: string, make: () => Made, refuse: typeof refuseJob): Made {
  try {
    return make();
  } catch (error) {
    // What it says itself of the input.
    if (error instanceof HttpException || error instanceof IntrinsicException) throw error;
    throw refuse(`nestjs-jobs: ${what} cannot be made of what came.`, error);
  }
}

/** @internal */
export function requestSource(context: ExecutionContext): CallSource {
  const request: { headers?: CallSource['headers'] } = context.switchToHttp().getRequest() ?? {};
  return { headers: request.headers ?? {}, request };
}

/** Of an HTTP request, as it came. @internal */
export function bodyOf(context: ExecutionContext): unknown {
  return context.switchToHttp().getRequest<{ body?: unknown }>().body;
}

/** Most are, and to find that out costs little. */
function isPlainKey(key: unknown): key is string {
  return typeof key === 'string' && key.length <= LONGEST_KEY && /^[\x21-\x7e]+$/.test(key);
}

function checked(decorator: string, key: unknown, refuse: typeof refuseJob): string {
  try {
    return requireText(`the key of ${decorator}`, key, LONGEST_KEY);
  } catch (error) {
    throw refuse((error as InvalidArgumentError).message);
  }
}
