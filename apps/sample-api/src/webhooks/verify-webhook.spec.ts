import { signedRequest } from './signed-request.js';
import { isSignedWebhook } from './verify-webhook.js';

const SECRET = 's'.repeat(32);
const NOW = new Date('2026-01-15T12:00:00Z');

describe('a webhook that came in', () => {
  const { headers, body } = signedRequest('webhooks_1', { url: '', event: 'e', data: '€' }, SECRET, NOW);
  const verify = (changed: Record<string, string> = {}, sent = body, secret = SECRET, secondsLater = 0) =>
    isSignedWebhook({ ...headers, ...changed }, sent, secret, new Date(NOW.getTime() + secondsLater * 1_000));

  it('is taken when it is signed with the secret, within five minutes', () => {
    expect([verify(), verify({}, body, SECRET, 300), verify({}, body, SECRET, -300)]).toEqual([true, true, true]);
  });

  it('is taken with one good signature of several', () => {
    expect(verify({ 'webhook-signature': `v1,AAAA v2,x ${headers['webhook-signature']}` })).toBe(true);
  });

  it.each([
    ['with another id', () => verify({ 'webhook-id': 'webhooks_2' })],
    ['with another time', () => verify({ 'webhook-timestamp': String(NOW.getTime() / 1_000 + 1) })],
    ['with another body', () => verify({}, Buffer.from('{}'))],
    ['with another secret', () => verify({}, body, 'x'.repeat(32))],
    ['too late', () => verify({}, body, SECRET, 301)],
    ['before its time', () => verify({}, body, SECRET, -301)],
    ['with another version', () => verify({ 'webhook-signature': headers['webhook-signature']!.replace('v1', 'v2') })],
    ['with half a signature', () => verify({ 'webhook-signature': headers['webhook-signature']!.slice(0, 20) })],
    ['with no time', () => verify({ 'webhook-timestamp': 'now' })],
    ['without headers', () => isSignedWebhook({}, body, SECRET, NOW)],
  ])('is refused %s', (_what, verified) => {
    expect(verified()).toBe(false);
  });
});
