import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { JobStatus } from 'nestjs-jobs';
import type { Payment, Receipt } from '../../apps/sample-api/src/payments/payment.payload.js';
import { backends } from '../support/backends.js';
import { spawnSampleApi } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { chargesOf } from '../support/payments-ledger.js';
import { pollUntilEnded, sampleEnvironment, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { itIf, runsOn } from '../support/test-form.js';

const servers = backends.filter(({ name }) => name !== 'embedded');

interface Accepted {
  id: string;
  state: string;
  pollUrl: string;
}

function somePayment(): Payment {
  return { customer: randomUUID(), amountCents: 1999, currency: 'EUR' };
}

function post(api: SampleApi, key: string | undefined, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) };
  return fetch(`${api.url}/payments`, { method: 'POST', body: JSON.stringify(body), headers });
}

async function accepted(response: Response): Promise<Accepted> {
  expect(response.status).toBe(202);
  const body = (await response.json()) as Accepted;
  expect(body.pollUrl).toBe(`/jobs/${body.id}`);
  expect(response.headers.get('location')).toBe(body.pollUrl);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  return body;
}

async function lastStatus(api: SampleApi, { pollUrl }: Accepted): Promise<JobStatus> {
  return (await pollUntilEnded(api.url, pollUrl)).at(-1)!;
}

function charges({ directory }: SampleApi, { customer }: Payment): Promise<Receipt[]> {
  return chargesOf(customer, join(directory, 'payments'));
}

describe.each(backends)('payments of the sample API on $name', (backend) => {
  let api: SampleApi;
  /** The processes that take requests; an embedded store has but one. */
  let apis: SampleApi[];
  beforeAll(async () => {
    api = await startSampleApi(backend);
    apis = [api];
    if (servers.includes(backend) && runsOn(backend, servers, 0)) apis.push(await startSampleApi(backend, {}, api));
  });
  afterAll(async () => {
    for (const each of apis?.toReversed() ?? []) await each.stop();
  });

  it('[I1] a repeated request has the same job and result, also when the job has ended', async () => {
    const [key, payment] = [randomUUID(), somePayment()];
    const first = await accepted(await post(api, key, payment));
    const status = await lastStatus(api, first);
    expect(status).toMatchObject({ state: 'succeeded', result: payment });
    const { customer, amountCents, currency } = payment;
    for (const each of apis) {
      // The order of the fields says nothing.
      const again = await accepted(await post(each, key, { currency, customer, amountCents }));
      expect(again).toEqual(first);
      expect((await lastStatus(each, again)).result).toEqual(status.result);
    }
    expect(await charges(api, payment)).toEqual([status.result]);
  });

  it('[I1] another key is another payment, also of the same customer and amount', async () => {
    const payment = somePayment();
    const jobs = [await post(api, randomUUID(), payment), await post(api, randomUUID(), payment)].map(accepted);
    for (const job of jobs) expect(await lastStatus(api, await job)).toMatchObject({ state: 'succeeded' });
    expect(await charges(api, payment)).toHaveLength(2);
  });

  it('[I1] the same key with another body is 422, and nothing is charged for it', async () => {
    const [key, payment] = [randomUUID(), somePayment()];
    const first = await accepted(await post(api, key, payment));
    for (const each of apis) {
      const other = await post(each, key, { ...payment, amountCents: 2999 });
      expect(other.status).toBe(422);
      expect(await other.text()).not.toContain(first.id);
    }
    const { result } = await lastStatus(api, first);
    expect(await charges(api, payment)).toEqual([result]);
  });

  it.each([
    ['no key', undefined, 'must be given'],
    ['an empty key', '', 'must be 1 to 255'],
    ['a key that is too long', 'k'.repeat(256), 'must be 1 to 255'],
    ['a key with other letters', 'clé', 'must be 1 to 255 printable'],
  ])('[I1] refuses a request with %s', async (_what, key, message) => {
    const payment = somePayment();
    const response = await post(api, key, payment);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(`idempotency-key ${message}`);
    expect(await charges(api, payment)).toEqual([]);
  });

  it('[I1] a refusal does not use the key up', async () => {
    const [key, payment] = ['k'.repeat(219) + randomUUID(), somePayment()];
    const wrong: [object, RegExp][] = [
      [{ ...payment, amountCents: 19.99 }, /amountCents must be a whole number/],
      [{ ...payment, amountCents: 0 }, /amountCents must be at least 1/],
      [{ ...payment, currency: 'euro' }, /currency must be three capital letters/],
      [{ ...payment, customer: 'a\u0000b' }, /customer must be/],
      [{ ...payment, tip: 1 }, /unknown: tip/],
      [[], /Send a JSON object/],
    ];
    for (const [body, message] of wrong) {
      const response = await post(api, key, body);
      expect(response.status).toBe(400);
      expect(String(((await response.json()) as { message: unknown }).message)).toMatch(message);
    }
    const { state } = await lastStatus(api, await accepted(await post(api, key, payment)));
    expect(state).toBe('succeeded');
    expect(await charges(api, payment)).toHaveLength(1);
  });

  it('[I1] [I2] twenty duplicates at once are one job and one charge, whichever process they come to', async () => {
    const [key, payment] = [randomUUID(), somePayment()];
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post(apis[n % apis.length]!, key, payment)),
    );
    const jobs = await Promise.all(responses.map(accepted));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    const status = await lastStatus(api, jobs[0]!);
    expect(status).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await charges(api, payment)).toEqual([status.result]);
  });

  it('[I1] is described', async () => {
    const document = (await (await fetch(`${api.url}/docs-json`)).json()) as { paths: Record<string, object> };
    expect(document.paths['/payments']).toMatchObject({
      post: {
        parameters: [{ name: 'Idempotency-Key', in: 'header', required: true, schema: { maxLength: 255 } }],
        requestBody: { required: true },
        responses: { 202: {}, 400: {}, 409: {}, 422: {} },
      },
    });
  });
});

describe.each(backends)('a payment on $name, whose process is killed -9 when it has charged', (backend) => {
  const SHORT_LEASE = { JOBS_LEASE_MS: '2000' };
  const NO_ANSWER = { ...SHORT_LEASE, PAYMENT_ANSWER_MS: '20000' };
  const started: SampleApi[] = [];

  /** A store with one process that works, and never gets to know that it has charged. */
  async function start(): Promise<{ api: SampleApi; killAndGoOn: () => Promise<SampleApi> }> {
    if (backend.name === 'embedded') {
      const api = await startSampleApi(backend, NO_ANSWER);
      started.push(api);
      const killAndGoOn = async (): Promise<SampleApi> => {
        await api.process.kill('SIGKILL');
        const next = await startSampleApi(backend, SHORT_LEASE, api);
        started.push(next);
        return next;
      };
      return { api, killAndGoOn };
    }
    const api = await startSampleApi(backend, { ...SHORT_LEASE, JOBS_WORKERS: 'false' });
    started.push(api);
    const env = sampleEnvironment(backend, api.directory);
    const worker = spawnSampleApi('worker', { env: { ...env, ...NO_ANSWER } });
    const killAndGoOn = async (): Promise<SampleApi> => {
      await worker.kill('SIGKILL');
      spawnSampleApi('worker', { env: { ...env, ...SHORT_LEASE } });
      return api;
    };
    return { api, killAndGoOn };
  }

  // In the short form on one: that another process goes on where one was killed is known of all from test/chaos.
  itIf(runsOn(backend, backends, 0), '[I2] has one charge in the end, and its receipt', async () => {
    const [key, payment] = [randomUUID(), somePayment()];
    const { api, killAndGoOn } = await start();
    const first = await accepted(await post(api, key, payment));
    const charged = async () => expect(await charges(api, payment)).toHaveLength(1);
    await eventually(charged, { timeout: 30_000 });
    const left = await killAndGoOn();
    const status = await lastStatus(left, first);
    expect(status).toMatchObject({ state: 'succeeded', attempts: [{ stalled: true }, { attempt: 2 }] });
    expect(await charges(api, payment)).toEqual([status.result]);
    expect(await accepted(await post(left, key, payment))).toEqual(first);
    for (const each of started.toReversed()) await each.stop();
  });
});
