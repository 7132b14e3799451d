import { type ArgumentsHost, BadRequestException, Catch, type HttpException, NotFoundException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { InvalidScheduleError, ScheduleNotFoundError } from 'nestjs-jobs';

/** What the library refuses, as the status that says whose turn it is: also when a schedule was deleted meanwhile. */
@Catch(InvalidScheduleError, ScheduleNotFoundError)
export class ScheduleRefusalsFilter extends BaseExceptionFilter {
  override catch(refusal: InvalidScheduleError | ScheduleNotFoundError, host: ArgumentsHost): void {
    super.catch(asHttp(refusal), host);
  }
}

function asHttp(refusal: InvalidScheduleError | ScheduleNotFoundError): HttpException {
  if (refusal instanceof InvalidScheduleError) return new BadRequestException(`The schedule ${refusal.problem}`);
  return new NotFoundException('You have no such schedule any more.');
}
