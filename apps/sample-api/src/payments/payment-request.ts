import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MOST_LISTED, validated } from '../http/validated.js';
import type { ChargePayment, Payment } from './payment.payload.js';

const EXAMPLE = '{ "customer": "c-42", "amountCents": 1999, "currency": "EUR" }';

export const MOST_CENTS = 100_000_000;

export const paymentRequestSchema = z.strictObject(
  {
    customer: z
      .string('must be given: whom to charge')
      .regex(/^[\w.@+-]{1,100}$/, 'must be 1 to 100 letters, digits and characters of _.@+-'),
    amountCents: z
      .int(`must be a whole number from 1 to ${MOST_CENTS}: the amount in cents`)
      .min(1, 'must be at least 1')
      .max(MOST_CENTS, `must not be more than ${MOST_CENTS}`),
    currency: z.string('must be given, as in EUR').regex(/^[A-Z]{3}$/, 'must be three capital letters, as in EUR'),
  },
  { error: describeObject },
) satisfies z.ZodType<Payment>;

const headersSchema = z.object({
  'idempotency-key': z
    .string('must be given: text of your own that no other payment has, such as a UUID')
    .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters'),
});

/** @throws {BadRequestException} */
export function idempotencyKeyOf(headers: object): string {
  return validated(headersSchema, headers)['idempotency-key'];
}

/**
 * The own part of the job's id. It is made of key and body, so a request that is repeated finds its job, also when the
 * process that took the first one died before it kept the answer; and nobody finds it by the key alone.
 */
export function paymentJobId({ key, customer, amountCents, currency }: ChargePayment): string {
  return createHash('sha256')
    .update(JSON.stringify([key, customer, amountCents, currency]))
    .digest('hex');
}

function describeObject(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown: ${issue.keys.slice(0, MOST_LISTED).join(', ')}`;
  return `Send a JSON object such as ${EXAMPLE}`;
}
