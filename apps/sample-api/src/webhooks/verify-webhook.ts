import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Seconds that the clocks of both sides may differ. A request that is older may have been recorded, and sent again. */
const TOLERANCE = 300;

/**
 * For receivers: whether a request was signed with the secret, and just now. Nothing else in this service uses it.
 *
 * @param body - the bytes as they came: what a JSON parser made of them, written as JSON again, may be other bytes.
 */
export function isSignedWebhook(headers: IncomingHttpHeaders, body: Buffer, secret: string, now = new Date()): boolean {
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  const age = Math.abs(now.getTime() / 1_000 - Number(timestamp));
  // Written so that it also refuses NaN.
  if (!(age <= TOLERANCE)) return false;
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
  // Several, with spaces between them, while the secret is being changed.
  return String(headers['webhook-signature'])
    .split(' ')
    .some((signature) => signature.startsWith('v1,') && isSame(Buffer.from(signature.slice(3), 'base64'), expected));
}

/** `===` would take the longer the more of it is right, and so tell a forger how far he is. */
function isSame(sent: Buffer, expected: Buffer): boolean {
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}
