import {
  BadRequestException,
  Catch,
  ConflictException,
  NotFoundException,
  type ArgumentsHost,
  type HttpException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { CanvasPayloadError } from '../canvas/canvas.errors.js';
import { DuplicateJobError, JobNotFoundError, PayloadTooLargeError } from '../client/client.errors.js';
import { InvalidArgumentError } from '../client/invalid-argument.error.js';
import { DeadLetterNotFoundError, NotRedrivableError } from '../dead-letters/dead-letter.errors.js';
import { PayloadInvalidError } from '../task/schema.errors.js';

const REFUSALS = [
  CanvasPayloadError,
  DuplicateJobError,
  NotRedrivableError,
  PayloadInvalidError,
  PayloadTooLargeError,
] as const;

/** Answers what the job endpoints are refused, where Nest would answer 500. @internal */
@Catch(JobNotFoundError, DeadLetterNotFoundError, InvalidArgumentError, ...REFUSALS)
export class JobErrorsFilter extends BaseExceptionFilter {
  override catch(error: Error, host: ArgumentsHost): void {
    super.catch(asHttp(error), host);
  }
}

function asHttp(error: Error): HttpException {
  const message = error.message.replace(/^nestjs-jobs: /, '');
  if (error instanceof InvalidArgumentError) return new BadRequestException(message);
  // It went between two looks.
  if (error instanceof JobNotFoundError) return new NotFoundException(message);
  if (error instanceof DeadLetterNotFoundError && error.state === undefined) return new NotFoundException(message);
  return new ConflictException(message);
}
