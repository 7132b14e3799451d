import { Body, Controller, Headers, Post, UseFilters } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiHeader,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiUnprocessableEntityResponse,
} from '@nestjs/swagger';
import { Idempotent, JobsService, task } from 'nestjs-jobs';
import { accepted, type AcceptedJob, acceptedJobSchema, BackendUnavailableFilter } from 'nestjs-jobs/http';
import { validated } from '../http/validated.js';
import { type ChargePayment, KEY_LIFE } from './payment.payload.js';
import { idempotencyKeyOf, paymentJobId, paymentRequestSchema } from './payment-request.js';
import { createPaymentOperation, idempotencyKeyHeader } from './payments.openapi.js';
import { Payments } from './payments.task.js';

@ApiTags('payments')
@Controller('payments')
@UseFilters(BackendUnavailableFilter)
export class PaymentsController {
  constructor(private readonly jobs: JobsService) {}

  // No accounts here: with them, the account belongs into the key, or one client's key would be another's.
  @Post()
  @Idempotent({ key: (_body, { headers }) => idempotencyKeyOf(headers), ttl: KEY_LIFE })
  @ApiOperation(createPaymentOperation)
  @ApiHeader(idempotencyKeyHeader)
  @ApiBadRequestResponse({ description: 'The key or a field is missing or wrong. The key can be used again.' })
  @ApiUnprocessableEntityResponse({ description: 'The key belongs to another body.' })
  @ApiConflictResponse({ description: 'A request with this key is being answered, and that takes long. Try again.' })
  @ApiServiceUnavailableResponse({ description: 'The job could not be stored right now. Try again with the same key.' })
  @ApiAcceptedResponse({ description: 'It will be charged, once; poll it at pollUrl.', schema: acceptedJobSchema })
  async create(@Body() body: unknown, @Headers() headers: Record<string, string>): Promise<AcceptedJob> {
    const payment: ChargePayment = { key: idempotencyKeyOf(headers), ...validated(paymentRequestSchema, body) };
    return accepted(await this.jobs.enqueue(task(Payments, 'charge'), payment, { id: paymentJobId(payment) }));
  }
}
