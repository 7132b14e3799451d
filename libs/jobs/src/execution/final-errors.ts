import { HttpException } from '@nestjs/common';
import { NonRetryableError } from './execution.errors.js';

/** The 4xx statuses that say "not now" rather than "not so". */
const TRANSIENT_CLIENT_ERRORS = [408, 425, 429];

/** Errors that no further attempt can mend: the task's own word for it, and what pipes and guards refuse. @internal */
export function isFinal(error: unknown): boolean {
  if (error instanceof NonRetryableError) return true;
  if (!(error instanceof HttpException)) return false;
  const status = error.getStatus();
  return status >= 400 && status < 500 && !TRANSIENT_CLIENT_ERRORS.includes(status);
}
