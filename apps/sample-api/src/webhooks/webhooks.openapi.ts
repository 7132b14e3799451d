import type { ApiOperationOptions } from '@nestjs/swagger';

export const createWebhookOperation: ApiOperationOptions = {
  summary: 'Deliver an event to a URL, as a signed POST',
  description: [
    'The answer comes at once. The delivery is tried again after 408, 425, 429, 5xx and network errors, later when the receiver asks for a longer wait with `Retry-After`; every other answer but 2xx fails the job.',
    "The receiver gets `{ id, event, data }` with the headers `webhook-id` (the job's id, the same on every attempt), `webhook-timestamp` (Unix seconds) and `webhook-signature`: `v1,` and the HMAC-SHA256 in Base64 of `<webhook-id>.<webhook-timestamp>.<body>`.",
    'Poll `pollUrl` until `terminal` is true; `result` is then `{ status, deliveredAt, attempts }`, or `error` says why it was given up.',
  ].join('\n\n'),
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['url', 'event', 'data'],
          additionalProperties: false,
          properties: {
            url: {
              type: 'string',
              format: 'uri',
              maxLength: 2_048,
              description: 'http or https, without user name and password; it must lead to a public address.',
            },
            event: { type: 'string', pattern: '^[\\w.-]{1,100}$', description: 'The name of what has happened.' },
            data: { description: 'Any JSON value.' },
          },
        },
        example: { url: 'https://example.com/hooks', event: 'report.finished', data: { reportId: 'r1' } },
      },
    },
  },
};
