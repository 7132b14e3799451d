import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  type HttpException,
  NotFoundException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { DeadLetterNotFoundError, InvalidDeadLetterFilterError, PayloadInvalidError } from 'nestjs-jobs';

type Refusal = DeadLetterNotFoundError | InvalidDeadLetterFilterError | PayloadInvalidError;

/** What the library refuses, as the status that says whose turn it is. */
@Catch(DeadLetterNotFoundError, InvalidDeadLetterFilterError, PayloadInvalidError)
export class DeadLetterRefusalsFilter extends BaseExceptionFilter {
  override catch(refusal: Refusal, host: ArgumentsHost): void {
    super.catch(asHttp(refusal), host);
  }
}

function asHttp(refusal: Refusal): HttpException {
  const message = refusal.message.replace('nestjs-jobs: ', '');
  if (refusal instanceof DeadLetterNotFoundError) return new NotFoundException(message);
  if (refusal instanceof InvalidDeadLetterFilterError) return new BadRequestException(message);
  return new UnprocessableEntityException(message);
}
