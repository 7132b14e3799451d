import type { JobStatus } from 'nestjs-jobs';
import { isSignedWebhook } from '../../apps/sample-api/src/webhooks/verify-webhook.js';
import { backends } from '../support/backends.js';
import { spawnSampleApi } from '../support/child-process.js';
import { pollUntilEnded, sampleEnvironment, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { runsOn } from '../support/test-form.js';
import { makeCertificate, type TlsCertificate } from '../support/tls-certificate.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

const HOST = '127.0.0.1';
const ENVIRONMENT = {
  WEBHOOK_SECRET: 'a secret that only the tests know',
  // Where localhost has both.
  WEBHOOK_ALLOWED_NETWORKS: `${HOST},::1`,
  WEBHOOK_PORTS: 'any',
  WEBHOOK_ATTEMPTS: '2',
  WEBHOOK_RETRY_DELAY_MS: '10',
};

const delivering = backends.filter((backend) => runsOn(backend, backends, 0));
describe.each(delivering)('webhooks over TLS on $name', (backend) => {
  let api: SampleApi;
  let trusted: TlsCertificate;
  let receiver: WebhookReceiver;
  let strange: WebhookReceiver;

  beforeAll(async () => {
    trusted = await makeCertificate(HOST);
    const stranger = await makeCertificate(HOST);
    receiver = await startReceiver(HOST, 0, trusted);
    strange = await startReceiver(HOST, 0, stranger);
    await stranger.remove();
    const trusting = { ...ENVIRONMENT, NODE_EXTRA_CA_CERTS: trusted.file };
    if (backend.name === 'embedded') {
      api = await startSampleApi(backend, trusting);
    } else {
      // Only the process that delivers has to trust the receiver.
      api = await startSampleApi(backend, { ...ENVIRONMENT, JOBS_WORKERS: 'false' });
      const env = { ...sampleEnvironment(backend, api.directory), ...trusting };
      await spawnSampleApi('worker', { env }).waitForLine(/^Sample worker/);
    }
  });
  afterAll(async () => {
    await api?.stop();
    await receiver?.close();
    await strange?.close();
    await trusted?.remove();
  });

  async function deliver(url: string): Promise<JobStatus> {
    const response = await fetch(`${api.url}/webhooks`, {
      method: 'POST',
      body: JSON.stringify({ url, event: 'order.paid', data: { order: 7, note: 'größer als 10 €' } }),
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(202);
    const { pollUrl } = (await response.json()) as { pollUrl: string };
    return (await pollUntilEnded(api.url, pollUrl)).at(-1)!;
  }

  it('arrive, with a signature that a receiver can check', async () => {
    const url = receiver.answer((response) => response.writeHead(204).end());
    expect(url).toMatch(/^https:/);
    expect(await deliver(url)).toMatchObject({ state: 'succeeded', result: { status: 204, attempts: 1 } });
    const [delivery] = receiver.deliveries(url);
    expect(isSignedWebhook(delivery!.headers, delivery!.body, ENVIRONMENT.WEBHOOK_SECRET)).toBe(true);
    expect(isSignedWebhook(delivery!.headers, delivery!.body, 'another secret')).toBe(false);
  });

  it.each([
    ['nobody trusts', () => strange.answer((response) => response.end()), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'is for another host',
      () => receiver.answer((response) => response.end()).replace(HOST, 'localhost'),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ])('are tried again, and then given up, with a certificate that %s', async (_what, urlOf, code) => {
    const before = strange.count + receiver.count;
    const message = `The receiver could not be reached: its certificate is not trusted (${code}).`;
    const status = await deliver(urlOf());
    expect(status).toMatchObject({ state: 'failed', attempt: 2, error: { code, message } });
    expect(strange.count + receiver.count).toBe(before);
  });
});
