import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { pollUntilEnded, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { runsOn } from '../support/test-form.js';
import { startReceiver, type Delivery, type WebhookReceiver } from '../support/webhook-receiver.js';

const SECRET = 'a secret that only the tests know';
const ADMIN_TOKEN = 'a token that only the tests know';
const ENVIRONMENT = {
  ADMIN_TOKEN,
  WEBHOOK_SECRET: SECRET,
  WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1',
  WEBHOOK_PORTS: 'any',
  WEBHOOK_ATTEMPTS: '3',
  WEBHOOK_RETRY_DELAY_MS: '10',
};

interface Page {
  letters: (JobStatus & { payload: unknown })[];
  nextCursor?: string;
}

interface Accepted {
  id: string;
  state: string;
  pollUrl: string;
}

function signatureOf({ headers, body }: Delivery): string {
  const signed = Buffer.from([headers['webhook-id'], headers['webhook-timestamp'], body.toString()].join('.'));
  return `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`;
}

const answer =
  (status: number, headers = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end();

// In the short form one of the servers here, embedded over TLS, and the last of the backends where targets are tested.
const delivering = backends.filter((backend) => runsOn(backend, backends, 1));
describe.each(delivering)('webhooks of the sample API on $name', (backend) => {
  let api: SampleApi;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    receiver = await startReceiver();
    api = await startSampleApi(backend, ENVIRONMENT);
  });
  afterAll(async () => {
    await api?.stop();
    await receiver?.close();
  });

  function post(body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(`${api.url}/webhooks`, { method: 'POST', body: JSON.stringify(body), headers });
  }

  async function deliver(url: string, data: unknown = { n: 1 }): Promise<JobStatus> {
    const response = await post({ url, event: 'order.paid', data });
    expect(response.status).toBe(202);
    return (await pollUntilEnded(api.url, ((await response.json()) as Accepted).pollUrl)).at(-1)!;
  }

  it('delivers a signed POST in the background, and tells what became of it', async () => {
    const url = receiver.answer(answer(204));
    const data = { order: 7, note: 'größer als 10 €', items: [1, null, 'x'] };
    const response = await post({ url, event: 'order.paid', data });
    const accepted = (await response.json()) as Accepted;
    expect(response.status).toBe(202);
    expect(accepted).toEqual({ id: accepted.id, state: 'pending', pollUrl: `/jobs/${accepted.id}` });
    expect(response.headers.get('location')).toBe(accepted.pollUrl);

    const status = (await pollUntilEnded(api.url, accepted.pollUrl)).at(-1)!;
    expect(status).toMatchObject({ state: 'succeeded', result: { status: 204, attempts: 1 } });
    const { deliveredAt } = status.result as { deliveredAt: string };
    expect(new Date(deliveredAt).toISOString()).toBe(deliveredAt);

    expect(receiver.deliveries(url)).toHaveLength(1);
    const [delivery] = receiver.deliveries(url);
    expect(delivery!.method).toBe('POST');
    expect(JSON.parse(delivery!.body.toString())).toEqual({ id: accepted.id, event: 'order.paid', data });
    expect(delivery!.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^nestjs-jobs-sample-api\//),
      'webhook-id': accepted.id,
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': signatureOf(delivery!),
    });
  });

  it.each([500, 503, 408, 425, 429])('tries again after %i, with the same id and body', async (refusal) => {
    const url = receiver.answer((response, nth) => answer(nth === 1 ? refusal : 200)(response));
    const status = await deliver(url);
    expect(status).toMatchObject({ state: 'succeeded', result: { status: 200, attempts: 2 } });
    expect(status.attempts[0]).toMatchObject({ error: { code: `HTTP_${refusal}` } });
    const [first, second] = receiver.deliveries(url);
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
    expect(second!.body).toEqual(first!.body);
    expect(second!.headers['webhook-signature']).toBe(signatureOf(second!));
  });

  it('waits as long as Retry-After asks', async () => {
    const url = receiver.answer((response, nth) =>
      nth === 1 ? answer(429, { 'retry-after': '1' })(response) : answer(200)(response),
    );
    expect(await deliver(url)).toMatchObject({ state: 'succeeded', result: { attempts: 2 } });
    const [first, second] = receiver.deliveries(url);
    // The backoff would be over after 10 ms. Two clocks are involved, of 1 ms each.
    expect(second!.arrivedAt - first!.arrivedAt).toBeGreaterThan(990);
  });

  it.each([400, 404, 410, 422])('gives up at once on %i', async (refusal) => {
    const url = receiver.answer(answer(refusal, { 'retry-after': '1' }));
    const status = await deliver(url);
    expect(status).toMatchObject({ state: 'failed', attempt: 1, error: { code: `HTTP_${refusal}` } });
    expect(receiver.deliveries(url)).toHaveLength(1);
    expect(JSON.stringify(status)).not.toContain('token');
  });

  it('gives up when its attempts are spent', async () => {
    const url = receiver.answer(answer(500));
    const status = await deliver(url);
    expect(status).toMatchObject({ state: 'failed', attempt: 3, error: { code: 'HTTP_500' } });
    expect(receiver.deliveries(url)).toHaveLength(3);
  });

  it('follows no redirect, above all not to a private address', async () => {
    const inside = await startReceiver('127.0.0.2');
    const target = inside.answer(answer(200));
    for (const redirect of [301, 302, 307, 308]) {
      const url = receiver.answer(answer(redirect, { location: target }));
      const status = await deliver(url);
      expect(status).toMatchObject({ state: 'failed', attempt: 1, error: { code: `HTTP_${redirect}` } });
    }
    expect(inside.count).toBe(0);
    await inside.close();
  });

  it('reads no more than a little of an endless answer', async () => {
    let hungUp: Promise<unknown> | undefined;
    const chunk = Buffer.alloc(64 * 1024);
    let poured = 0;
    const url = receiver.answer((response) => {
      hungUp = once(response, 'close');
      const pour = () => {
        do poured += chunk.length;
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', pour);
      pour();
    });
    expect(await deliver(url)).toMatchObject({ state: 'succeeded', result: { status: 200, attempts: 1 } });
    await hungUp;
    // What the sockets of both sides hold comes on top of what is read.
    expect(poured).toBeLessThan(32 * 1024 * 1024);
  });

  const refused: [string, unknown, RegExp][] = [
    ['nothing', {}, /url must be given.*event must be given.*data must be given/],
    ['no object', [], /Send a JSON object/],
    ['an unknown field', { url: 'https://example.com', event: 'e', data: 1, secret: 's' }, /unknown: secret/],
    ['an event that is none', { url: 'https://example.com', event: 'a b', data: 1 }, /event must be/],
    ['what no store can keep', { url: 'https://example.com', event: 'e', data: ['\u0000'] }, /U\+0000/],
    ...[
      ['no url', 'example.com', /url must be an absolute URL/],
      ['another protocol', 'ftp://example.com/', /http:\/\/ or https/],
      ['a file', 'file:///etc/passwd', /http:\/\/ or https/],
      ['credentials', 'https://user:pass@example.com/', /user name or a password/],
      ...[
        'http://127.0.0.2/',
        'http://2130706434/',
        'http://0x7f.2/',
        'http://0177.0.0.2/',
        'http://10.1/',
        'http://169.254.169.254/latest/meta-data',
        'http://[::1]/',
        'http://[::ffff:127.0.0.2]/',
        'http://[fd00:ec2::254]/',
        'http://0/',
        'http://127.0.0.2./',
      ].map((url) => [url, url, /url must lead to a public address/] as const),
    ].map(([what, url, message]) => [what, { url, event: 'e', data: 1 }, message] as [string, unknown, RegExp]),
  ];

  it.each(refused)('refuses at once %s', async (_what, body, message) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(String(((await response.json()) as { message: unknown }).message)).toMatch(message);
  });

  describe('that failed for good', () => {
    const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };

    async function list(query: Record<string, string>): Promise<Page> {
      const response = await fetch(`${api.url}/dead-letters?${new URLSearchParams(query).toString()}`, {
        headers: admin,
      });
      expect(response.status).toBe(200);
      return (await response.json()) as Page;
    }

    it('are listed in pages by what is asked for, and tell no stack', async () => {
      const from = new Date().toISOString();
      const gone = receiver.answer(answer(410));
      const down = receiver.answer(answer(500));
      const failed = [await deliver(gone, 1), await deliver(down, 2), await deliver(gone, 3)].map(({ id }) => id);
      await deliver(receiver.answer(answer(200)));

      const first = await list({ from, task: 'webhooks.*', limit: '2' });
      const second = await list({ from, task: 'webhooks.*', limit: '2', cursor: first.nextCursor! });
      expect([...first.letters, ...second.letters].map(({ id }) => id)).toEqual(failed.toReversed());
      expect(second.nextCursor).toBeUndefined();
      expect(first.letters[0]).toMatchObject({
        state: 'failed',
        error: { name: 'NonRetryableError', code: 'HTTP_410' },
        payload: { url: gone, event: 'order.paid', data: 3 },
        attempts: [{ attempt: 1 }],
      });
      expect(JSON.stringify([first, second])).not.toMatch(/\.(js|ts):\d+|"stack"/);

      const byError = await list({ from, error: 'DeliveryFailedError', queue: 'webhooks' });
      expect(byError.letters.map(({ id }) => id)).toEqual([failed[1]]);
      expect((await list({ from, task: 'reports.*' })).letters).toEqual([]);
    });

    it('are delivered by a new job once the receiver is well again', async () => {
      const url = receiver.answer((response, nth) => answer(nth <= 3 ? 503 : 200)(response));
      const { id } = await deliver(url);
      const redrive = () => fetch(`${api.url}/dead-letters/${id}/redrive`, { method: 'POST', headers: admin });
      const response = await redrive();
      expect(response.status).toBe(202);
      const accepted = (await response.json()) as Accepted;
      expect(accepted.pollUrl).toBe(`/jobs/${accepted.id}`);
      expect(accepted.id).not.toBe(id);
      expect(((await (await redrive()).json()) as Accepted).id).toBe(accepted.id);

      const status = (await pollUntilEnded(api.url, accepted.pollUrl)).at(-1)!;
      expect(status).toMatchObject({ state: 'succeeded', redriveOf: id, result: { status: 200, attempts: 1 } });
      expect(receiver.deliveries(url)).toHaveLength(4);
      expect(receiver.deliveries(url).at(-1)!.headers['webhook-id']).toBe(accepted.id);
    });

    it('are for those with the token', async () => {
      for (const authorization of [
        undefined,
        'Bearer',
        'Bearer wrong',
        `Basic ${ADMIN_TOKEN}`,
        `${admin.authorization}x`,
      ]) {
        const headers = authorization === undefined ? undefined : { authorization };
        for (const [path, method] of [
          ['', 'GET'],
          ['/webhooks_x/redrive', 'POST'],
        ]) {
          const response = await fetch(`${api.url}/dead-letters${path}`, { method: method!, headers });
          expect([authorization, response.status]).toEqual([authorization, 401]);
          expect(response.headers.get('www-authenticate')).toBe('Bearer');
        }
      }
    });

    it.each([
      ['?limit=0', 400],
      ['?limit=201', 400],
      ['?state=failed', 400],
      ['?task=a&task=b', 400],
      ['?queue=nobodys', 400],
      ['?from=yesterday', 400],
      ['?cursor=x', 400],
      ['/webhooks_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11/redrive', 404],
      ['/nobodys/redrive', 404],
    ])('refuses %s with %i', async (path, status) => {
      const method = path.startsWith('?') ? 'GET' : 'POST';
      const response = await fetch(`${api.url}/dead-letters${path}`, { method, headers: admin });
      expect(response.status).toBe(status);
      expect(await response.text()).not.toMatch(/\.(js|ts):\d+/);
    });

    it('do not include a delivery that succeeded', async () => {
      const { id } = await deliver(receiver.answer(answer(200)));
      const response = await fetch(`${api.url}/dead-letters/${id}/redrive`, { method: 'POST', headers: admin });
      expect(response.status).toBe(404);
    });
  });

  it('are described', async () => {
    const document = (await (await fetch(`${api.url}/docs-json`)).json()) as { paths: Record<string, object> };
    expect(document.paths).toMatchObject({
      '/webhooks': { post: { requestBody: { required: true }, responses: { 202: {}, 400: {} } } },
      '/dead-letters': { get: { security: [{ bearer: [] }], responses: { 200: {}, 401: {}, 403: {} } } },
      '/dead-letters/{id}/redrive': { post: { responses: { 202: {}, 404: {} } } },
    });
  });
});
