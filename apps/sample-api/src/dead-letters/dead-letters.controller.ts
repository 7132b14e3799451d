import { applyDecorators, Controller, Get, Header, Param, Post, Query, UseFilters, UseGuards } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiForbiddenResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiQuery,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnauthorizedResponse,
  ApiUnprocessableEntityResponse,
} from '@nestjs/swagger';
import { type DeadLetterPage, DeadLetters } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import { validated } from '../http/validated.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import { DeadLetterRefusalsFilter } from './dead-letter-refusals.filter.js';
import { deadLettersQuerySchema } from './dead-letters-query.js';
import { deadLetterPageSchema, deadLetterQueries } from './dead-letters.openapi.js';

@ApiTags('dead letters')
@ApiBearerAuth()
@ApiUnauthorizedResponse({ description: 'The admin token is missing or wrong.' })
@ApiForbiddenResponse({ description: 'The service has no ADMIN_TOKEN, so nobody is let in.' })
@ApiServiceUnavailableResponse({ description: 'The jobs cannot be read right now. Try again.' })
@Controller('dead-letters')
@UseGuards(AdminTokenGuard)
@UseFilters(BackendUnavailableFilter, DeadLetterRefusalsFilter)
export class DeadLettersController {
  constructor(private readonly deadLetters: DeadLetters) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'The jobs that failed for good, with what they were to do' })
  @ApiOkResponse({ description: 'One page.', schema: deadLetterPageSchema })
  @ApiBadRequestResponse({ description: 'A filter is unknown or wrong; the message says which.' })
  @applyDecorators(...deadLetterQueries.map((query) => ApiQuery(query)))
  list(@Query() query: unknown): Promise<DeadLetterPage> {
    const given = Object.entries(validated(deadLettersQuerySchema, query)).filter(([, value]) => value !== undefined);
    return this.deadLetters.list(Object.fromEntries(given));
  }

  @Post(':id/redrive')
  @ApiOperation({ summary: 'Has a failed job done again, by a new job; a second call answers with the same one' })
  @ApiAcceptedResponse({ description: 'The new job; poll it at pollUrl.', schema: acceptedJobSchema })
  @ApiNotFoundResponse({ description: 'There is no such job, or it did not fail.' })
  @ApiUnprocessableEntityResponse({ description: 'The task does not take this payload any more.' })
  async redrive(@Param('id') id: string): Promise<AcceptedJob> {
    return accepted(await this.deadLetters.redrive(id));
  }
}
