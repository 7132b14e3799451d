import { z } from 'zod';
import { MOST_LISTED } from '../http/validated.js';

const EXAMPLE = '{ "url": "https://example.com/hooks", "event": "report.finished", "data": { "reportId": "r1" } }';

/** Where the url may lead is not known here: see WebhookTargets. */
export const webhookRequestSchema = z.strictObject(
  {
    url: z.string('must be given: the URL to deliver to').max(2_048, 'must not be longer than 2048 characters'),
    event: z
      .string('must be given: the name of what has happened')
      .regex(/^[\w.-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes and underscores'),
    data: z.unknown().refine((data) => data !== undefined, 'must be given: any JSON value, null too'),
  },
  { error: describeObject },
);

export type WebhookRequest = z.output<typeof webhookRequestSchema>;

function describeObject(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown: ${issue.keys.slice(0, MOST_LISTED).join(', ')}`;
  return `Send a JSON object such as ${EXAMPLE}`;
}
