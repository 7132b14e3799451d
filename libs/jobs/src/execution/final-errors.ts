import { HttpException } from '@nestjs/common';
import { InvalidCanvasError } from '../canvas/canvas.errors.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';
import { RetryLater } from './control-exceptions.js';
import { NonRetryableError } from './execution.errors.js';

/** The 4xx statuses that say "not now" rather than "not so". */
const TRANSIENT_CLIENT_ERRORS = [408, 425, 429];

/** Errors that no further attempt can mend: the task's own word for it, and what pipes and guards refuse. @internal */
export function isFinal(error: unknown): boolean {
  try {
    if (isFinalByType(error)) return true;
    if (!(error instanceof HttpException)) return false;
    const status = error.getStatus();
    return status >= 400 && status < 500 && !TRANSIENT_CLIENT_ERRORS.includes(status);
  } catch {
    // A proxy may throw, and so may a method that was overridden.
    return false;
  }
}

/** Whatever the policy says. That a canvas is none is a fault of the code. */
function isFinalByType(error: unknown): boolean {
  return error instanceof NonRetryableError || error instanceof InvalidCanvasError;
}

/** Whether what an attempt failed with may be tried again at all, however many attempts are left. @internal */
export function mayBeRetried(error: unknown, { retryOn, giveUpOn }: ResolvedRetryPolicy): boolean {
  if (isFinalByType(error)) return false;
  if (error instanceof RetryLater) return true;
  return !giveUpOn?.(error) && (retryOn ? retryOn(error) : !isFinal(error));
}
