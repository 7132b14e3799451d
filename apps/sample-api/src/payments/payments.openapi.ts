import type { ApiHeaderOptions, ApiOperationOptions } from '@nestjs/swagger';
import { MOST_CENTS } from './payment-request.js';

export const idempotencyKeyHeader: ApiHeaderOptions = {
  name: 'Idempotency-Key',
  required: true,
  description: 'Text of your own that no other payment has, such as a UUID: 1 to 255 printable ASCII characters.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x20-\\x7e]+$' },
  example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
};

export const createPaymentOperation: ApiOperationOptions = {
  summary: 'Charge a customer once, however often it is asked for',
  description: [
    'The answer comes at once. Poll `pollUrl` until `terminal` is true; `result` is then the receipt.',
    'Repeat a request with the same key and body whenever you did not get its answer: you get that of the first one, with the same job. After a refusal (4xx or 5xx) nothing is kept of it, and the key is free. A payment whose job failed stays failed; for another try use a new key.',
    'This service has no accounts, so all clients share one set of keys: take keys that nobody can guess. Who has the key and the body of a payment can see and cancel its job.',
  ].join('\n\n'),
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['customer', 'amountCents', 'currency'],
          additionalProperties: false,
          properties: {
            customer: { type: 'string', pattern: '^[\\w.@+-]{1,100}$', description: 'Whom to charge.' },
            amountCents: { type: 'integer', minimum: 1, maximum: MOST_CENTS, description: 'The amount in cents.' },
            currency: { type: 'string', pattern: '^[A-Z]{3}$', description: 'ISO 4217.' },
          },
        },
        example: { customer: 'c-42', amountCents: 1999, currency: 'EUR' },
      },
    },
  },
};
