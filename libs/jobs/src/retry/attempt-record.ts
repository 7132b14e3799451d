import type { StoredJob } from '../client/envelope.js';
import type { JobAttempt, JobErrorInfo } from '../client/job-status.js';

const MARKER = '\n@attempt ';
const MAX_STACK = 4_096;
const MAX_MESSAGE = 8_192;
/** Of every attempt but the last that has ended. */
const MAX_OLD_MESSAGE = 500;
const MAX_NAME = 200;
const MAX_DETAILS = 20;
/** How many causes of causes are told. */
const MAX_CAUSES = 3;

/** The attempt number under which a job's final error is kept that ended without another run. @internal */
export const NEVER_RAN = 0;

/**
 * The stack under which BullMQ keeps a failed attempt, with the attempt itself at its end. BullMQ stores the stack of
 * every attempt and nothing else of it; so the history costs no round trip of its own.
 *
 * @internal
 */
export function stackWithAttempt(error: unknown, attempt: JobAttempt): string {
  return stackOf(error) + MARKER + JSON.stringify(attempt);
}

/** The attempts in BullMQ's stacks, oldest first. @internal */
export function readAttempts(stacks: readonly string[] | null | undefined): JobAttempt[] {
  return (stacks ?? []).flatMap((stack) => {
    const at = stack.lastIndexOf(MARKER);
    return at < 0 ? [] : [JSON.parse(stack.slice(at + MARKER.length)) as JobAttempt];
  });
}

/**
 * BullMQ's stacks before another one is added: of those nothing is kept but what the status tells of their attempts, and
 * of long messages the beginning.
 *
 * @internal
 */
export function shortened(stacks: readonly string[] | null | undefined): string[] {
  return (stacks ?? []).map((stack) => {
    const at = stack.lastIndexOf(MARKER);
    if (at < 0) return stack.slice(0, MAX_STACK);
    // Has been shortened.
    if (at === 0) return stack;
    const { error, ...attempt } = JSON.parse(stack.slice(at + MARKER.length)) as JobAttempt;
    return stackWithAttempt(undefined, { ...attempt, ...(error && { error: inBrief(error) }) });
  });
}

function inBrief({ message, cause, ...error }: JobErrorInfo, causes = 1): JobErrorInfo {
  return {
    ...error,
    message: text(message, MAX_OLD_MESSAGE),
    ...(cause && causes > 0 && { cause: inBrief(cause, causes - 1) }),
  };
}

/** When the first attempt began that something is known of; in a job that runs, milliseconds. @internal */
export function firstStart(job: Pick<StoredJob, 'stacktrace' | 'processedOn'>): number {
  const first = readAttempts(job.stacktrace).find(({ attempt }) => attempt !== NEVER_RAN);
  return first?.startedAt ? Date.parse(first.startedAt) : (job.processedOn ?? Date.now());
}

/** The stack of the last error in BullMQ's stacks, without what was recorded of the attempt. @internal */
export function lastStack(stacks: readonly string[] | null | undefined): string | undefined {
  const stack = stacks?.at(-1) ?? '';
  const at = stack.lastIndexOf(MARKER);
  return (at < 0 ? stack : stack.slice(0, at)).slice(0, MAX_STACK) || undefined;
}

/**
 * What may be told of anything that was thrown: no stack, bounded, and storable on every backend. It never throws,
 * whatever was thrown: an error's description must not keep a job from ending.
 *
 * @internal
 */
export function describeError(error: unknown, causes = MAX_CAUSES): JobErrorInfo {
  if (!isObject(error)) return { name: 'Error', message: text(error, MAX_MESSAGE) };
  const [name, message, code, cause] = ['name', 'message', 'code', 'cause'].map((key) => field(error, key));
  const hasCode = (typeof code === 'string' && code !== '') || typeof code === 'number';
  return {
    name: typeof name === 'string' && name !== '' ? text(name, MAX_NAME) : 'Error',
    message: text(`${text(message ?? '', MAX_MESSAGE)}${detailsOf(error)}`, MAX_MESSAGE),
    ...(hasCode && { code: text(code, MAX_NAME) }),
    ...(causes > 0 && isObject(cause) && { cause: describeError(cause, causes - 1) }),
  };
}

/**
 * What Nest's ValidationPipe finds wrong stands in the response of its exception, what an AggregateError is made of in
 * its errors, and nowhere else.
 */
function detailsOf(error: object): string {
  try {
    const { response, errors } = error as { response?: { message?: unknown } | null; errors?: unknown };
    const details = isObject(response) ? response.message : errors;
    if (!Array.isArray(details)) return '';
    const told = details.slice(0, MAX_DETAILS).map((detail) => (detail instanceof Error ? detail.message : detail));
    return told.every((detail) => typeof detail === 'string') ? `: ${told.join('; ')}` : '';
  } catch {
    // A getter may throw, and so may a proxy.
    return '';
  }
}

/** The error's own stack, if it has one that can be read. */
function stackOf(error: unknown): string {
  const stack = isObject(error) ? field(error, 'stack') : undefined;
  return typeof stack === 'string' ? text(stack, MAX_STACK) : '';
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** A getter may throw, and so may a proxy. */
function field(error: object, key: string): unknown {
  try {
    return (error as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Postgres refuses U+0000 and half surrogates. */
function text(value: unknown, maxLength: number): string {
  if (typeof value === 'string' && value.length <= maxLength && !value.includes('\u0000') && value.isWellFormed()) {
    return value;
  }
  try {
    return String(value).slice(0, maxLength).replaceAll('\u0000', '\ufffd').toWellFormed();
  } catch {
    return '(cannot be shown)';
  }
}
