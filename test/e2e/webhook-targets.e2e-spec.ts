import type { LookupAddress } from 'node:dns';
import { task, type JobStatus } from 'nestjs-jobs';
import type { WebhookSettings } from '../../apps/sample-api/src/webhooks/webhook-settings.js';
import { WebhookTargets, type HostResolver } from '../../apps/sample-api/src/webhooks/webhook-targets.js';
import { Webhooks } from '../../apps/sample-api/src/webhooks/webhooks.task.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { startWebhooksApp, WEBHOOK_TEST_SETTINGS } from '../support/webhooks-app.js';

// Where a webhook may go does not depend on where jobs live.
const backend = backends.at(-1)!;

const v4 = (address: string): LookupAddress => ({ address, family: 4 });

describe('where the sample API delivers webhooks to', () => {
  let receiver: WebhookReceiver;
  let running: JobsApp;
  beforeEach(async () => {
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await running?.close();
    await receiver.close();
  });

  async function start(settings: Partial<WebhookSettings> = {}, resolve?: HostResolver): Promise<void> {
    running = await startWebhooksApp(backend, { settings, resolve });
  }

  async function deliver(url: string): Promise<JobStatus> {
    const job = await running.jobs.enqueue(task(Webhooks, 'deliver'), { url, event: 'e', data: null });
    return eventually(
      async () => {
        const status = await job.status();
        return status.terminal && status;
      },
      { timeout: 40_000 },
    );
  }

  const refusedOnce = { state: 'failed', attempt: 1, error: { code: 'ADDRESS_NOT_ALLOWED' } };

  it('refuses names and addresses of this machine, also when nobody has checked the url before', async () => {
    await start();
    const own = new URL(receiver.answer((response) => response.end()));
    for (const host of ['localhost', '127.0.0.1', '2130706433', '0x7f000001', '0177.1', '[::ffff:127.0.0.1]', '0']) {
      own.host = `${host}:${receiver.port}`;
      expect(await deliver(own.href)).toMatchObject(refusedOnce);
    }
    expect(await deliver(`http://user:pass@example.com:${receiver.port}/`)).toMatchObject({
      state: 'failed',
      attempt: 1,
      error: { code: 'URL_INVALID' },
    });
    expect(receiver.count).toBe(0);
  });

  it('is not fooled by a name that has another address when it is asked for again', async () => {
    // 127.0.0.2 stands for the world outside here, and 127.0.0.1 for what is inside.
    const outside = await startReceiver('127.0.0.2', receiver.port);
    const url = outside.answer((response) => response.writeHead(503).end());
    receiver.answer((response) => response.end());
    const answers: LookupAddress[][] = [[v4('127.0.0.2')], [v4('127.0.0.1')]];
    const asked: string[] = [];
    await start({ allowedNetworks: ['127.0.0.2'] }, async (hostname) => {
      asked.push(hostname);
      return answers[Math.min(asked.length, 2) - 1]!;
    });
    const named = new URL(url);
    named.hostname = 'rebind.test';
    const status = await deliver(named.href);
    // One question for each connection: what was checked is what is connected to.
    expect(asked).toEqual(['rebind.test', 'rebind.test']);
    expect(outside.deliveries(url)).toHaveLength(1);
    expect(outside.deliveries(url)[0]!.headers['host']).toBe(`rebind.test:${receiver.port}`);
    expect(receiver.count).toBe(0);
    expect(status).toMatchObject({ state: 'failed', attempt: 2, error: { code: 'ADDRESS_NOT_ALLOWED' } });
    await outside.close();
  });

  it('lets a socket have a public address, and not the loopback one that the same name has next', async () => {
    const answers = [[v4('8.8.8.8')], [v4('127.0.0.1')], [v4('8.8.8.8'), { address: '::1', family: 6 }]];
    const targets = new WebhookTargets(WEBHOOK_TEST_SETTINGS, async () => answers.shift()!);
    const look = () =>
      new Promise((resolve) => targets.lookup('rebind.test', { all: true }, (error, found) => resolve(error ?? found)));
    expect(await look()).toEqual([v4('8.8.8.8')]);
    expect(await look()).toMatchObject({ code: 'ADDRESS_NOT_ALLOWED' });
    expect(await look()).toMatchObject({ code: 'ADDRESS_NOT_ALLOWED' });
  });

  it('refuses other ports than those that are allowed', async () => {
    await start({ allowedNetworks: ['127.0.0.1'], ports: [443] });
    const url = receiver.answer((response) => response.end());
    expect(await deliver(url)).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'PORT_NOT_ALLOWED' } });
    expect(receiver.count).toBe(0);
  });

  it('waits for an answer that does not come only so long, and tries again', async () => {
    await start({ allowedNetworks: ['127.0.0.1'], timeout: 300 });
    // On a busy machine an honest answer may be late as well.
    const url = receiver.answer((response, nth) => nth > 1 && response.end());
    const status = await deliver(url);
    expect(status.attempts[0]).toMatchObject({ error: { code: 'TIMEOUT' } });
    expect(status.attempts.length).toBeGreaterThan(1);
    expect(receiver.deliveries(url).length).toBeGreaterThan(1);
  });

  it('waits for a connection only so long', async () => {
    await start({ connectTimeout: 20 }, () => new Promise(() => {}));
    const error = { code: 'TIMEOUT', message: 'The receiver could not be reached: no connection within 20 ms.' };
    expect(await deliver('http://slow.test/')).toMatchObject({ state: 'failed', attempt: 4, error });
  });

  it('speaks TLS where the url says so', async () => {
    await start({ allowedNetworks: ['127.0.0.1'] });
    const status = await deliver(`https://127.0.0.1:${receiver.port}/`);
    expect(status).toMatchObject({ state: 'failed', attempt: 4, error: { code: expect.stringMatching(/SSL|EPROTO/) } });
    expect(receiver.count).toBe(0);
  });

  it('counts a status as the answer, however its body ends', async () => {
    await start({ allowedNetworks: ['127.0.0.1'] });
    const broken = receiver.answer((response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half');
      setImmediate(() => response.destroy());
    });
    expect(await deliver(broken)).toMatchObject({ state: 'succeeded', result: { status: 200, attempts: 1 } });
  });

  it('tries again when the receiver hangs up, or is not there', async () => {
    await start({ allowedNetworks: ['127.0.0.1'] });
    const url = receiver.answer((response, nth) => {
      if (nth === 1) response.destroy();
      else if (nth === 2) response.writeHead(101, { connection: 'upgrade', upgrade: 'h2c' }).end();
      else response.end();
    });
    const status = await deliver(url);
    expect(status).toMatchObject({ state: 'succeeded', result: { attempts: 3 } });
    expect(status.attempts[0]).toMatchObject({ error: { code: 'ECONNRESET' } });
    expect(status.attempts[1]).toMatchObject({ error: { code: 'HUNG_UP' } });

    const gone = await startReceiver();
    await gone.close();
    expect(await deliver(`http://127.0.0.1:${gone.port}/`)).toMatchObject({
      state: 'failed',
      attempt: 4,
      error: { code: 'ECONNREFUSED', message: 'The receiver could not be reached: ECONNREFUSED.' },
    });
  });

  it('tries a name again that is not found', async () => {
    await start({}, async () => []);
    expect(await deliver('https://nowhere.test/')).toMatchObject({ attempt: 4, error: { code: 'ENOTFOUND' } });
  });

  it('keeps dead letters closed without a token', async () => {
    await start();
    await running.app.listen(0);
    const url = await running.app.getUrl();
    for (const authorization of ['', 'Bearer ', 'Bearer undefined']) {
      const headers = { authorization };
      expect((await fetch(`${url}/dead-letters`, { headers })).status).toBe(403);
      expect((await fetch(`${url}/dead-letters/x/redrive`, { method: 'POST', headers })).status).toBe(403);
    }
  });
});
