import { Catch, ServiceUnavailableException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { BackendUnavailableError } from '../backend/backend.errors.js';

/**
 * Answers 503 when the store of the jobs is away, where Nest would answer 500. On the job endpoints already; put it on
 * controllers of yours that enqueue.
 *
 * @publicApi
 */
@Catch(BackendUnavailableError)
export class BackendUnavailableFilter extends BaseExceptionFilter {
  override catch(_error: BackendUnavailableError, host: ArgumentsHost): void {
    super.catch(new ServiceUnavailableException('Background jobs are not available right now; try again.'), host);
  }
}
