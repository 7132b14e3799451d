import type { JobAttempt, JobErrorInfo } from '../client/job-status.js';

const MARKER = '\n@attempt ';
const MAX_STACK = 4_096;
const MAX_MESSAGE = 8_192;

/**
 * The stack under which BullMQ keeps a failed attempt, with the attempt itself at its end. BullMQ stores the stack of
 * every attempt and nothing else of it (engine.md 3); so the history costs no round trip of its own.
 *
 * @internal
 */
export function stackWithAttempt(stack: string | undefined, attempt: JobAttempt): string {
  return storable((stack ?? '').slice(0, MAX_STACK)) + MARKER + JSON.stringify(attempt);
}

/** The attempts in BullMQ's stacks, oldest first. @internal */
export function readAttempts(stacks: readonly string[] | null | undefined): JobAttempt[] {
  return (stacks ?? []).flatMap((stack) => {
    const at = stack.lastIndexOf(MARKER);
    return at < 0 ? [] : [JSON.parse(stack.slice(at + MARKER.length)) as JobAttempt];
  });
}

/** What may be told of an error: no stack, bounded, and storable on every backend. @internal */
export function describeError(error: unknown): JobErrorInfo {
  if (!(error instanceof Error)) return { name: 'Error', message: storable(String(error)).slice(0, MAX_MESSAGE) };
  const { code } = error as { code?: unknown };
  return {
    name: storable(error.name),
    message: storable(error.message).slice(0, MAX_MESSAGE),
    ...(typeof code === 'string' ? { code: storable(code) } : {}),
  };
}

/** Postgres refuses U+0000 and half surrogates; an error's text must never keep a job from ending. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed();
}
