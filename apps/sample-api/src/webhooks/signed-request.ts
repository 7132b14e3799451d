import { createHmac } from 'node:crypto';
import type { DeliverWebhook } from './webhook.payload.js';

const USER_AGENT = 'nestjs-jobs-sample-api/1.0';

export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * One attempt at a delivery, signed as Standard Webhooks (standardwebhooks.com) has it: HMAC-SHA256 over
 * `<id>.<timestamp>.<body>` in Base64. Body and id are those of every attempt, the timestamp is that of this one.
 */
export function signedRequest(id: string, { event, data }: DeliverWebhook, secret: string, now: Date): SignedRequest {
  const body = Buffer.from(JSON.stringify({ id, event, data }));
  const timestamp = String(Math.floor(now.getTime() / 1_000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'user-agent': USER_AGENT,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  };
}
