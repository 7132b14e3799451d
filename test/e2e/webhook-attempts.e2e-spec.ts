import { once } from 'node:events';
import { JobFailedError, task, type JobHandle, type JobStatus } from 'nestjs-jobs';
import type { DeliverWebhook, WebhookReceipt } from '../../apps/sample-api/src/webhooks/webhook.payload.js';
import { Webhooks } from '../../apps/sample-api/src/webhooks/webhooks.task.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { startWebhooksApp, type WebhooksAppSettings } from '../support/webhooks-app.js';

// The same on every backend.
const backend = backends.at(-1)!;
const MINUTE = 60_000;
const DAY = 86_400_000;

describe('the next attempt at a webhook', () => {
  let receiver: WebhookReceiver;
  let running: JobsApp;
  beforeEach(async () => {
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await running?.close();
    await receiver.close();
  });

  async function start({ settings, ...rest }: WebhooksAppSettings = {}): Promise<void> {
    running = await startWebhooksApp(backend, {
      settings: { allowedNetworks: ['127.0.0.1'], ...settings },
      ...rest,
    });
  }

  function enqueue(url: string): Promise<JobHandle<WebhookReceipt>> {
    const webhook: DeliverWebhook = { url, event: 'e', data: null };
    return running.jobs.enqueue(task(Webhooks, 'deliver'), webhook);
  }

  async function waitAfterTheFirst(url: string): Promise<number> {
    const job = await enqueue(url);
    const status = await eventually<JobStatus | false>(async () => {
      const now = await job.status();
      return now.state === 'retrying' && now;
    });
    expect(status.attempts).toMatchObject([{ error: { name: 'DeliveryFailedError', code: 'HTTP_503' } }]);
    return Date.parse(status.scheduledFor!) - Date.parse(status.attempts[0]!.endedAt!);
  }

  const busy = (retryAfter: string) => receiver.answer((r) => r.writeHead(503, { 'retry-after': retryAfter }).end());

  it.each([
    ['what is shorter than the backoff', () => '1', 5 * MINUTE],
    ['a longer time', () => '3600', 60 * MINUTE],
    ['a longer time as a date', () => new Date(Date.now() + 60 * MINUTE).toUTCString(), 59 * MINUTE],
    ['years', () => '999999999', DAY],
    ['what nobody can read', () => 'soon', 5 * MINUTE],
  ])('comes no sooner than the backoff and Retry-After say, if that is %s', async (_what, retryAfter, least) => {
    await start({ retry: { delay: '5m' } });
    const waits = await waitAfterTheFirst(busy(retryAfter()));
    // Two clocks are involved, of 1 ms each.
    expect(waits).toBeGreaterThan(least - 10);
    expect(waits).toBeLessThan(least + 2 * MINUTE);
  });

  it('is not waited for in vain: what asks the task to stop ends the request', async () => {
    await start({ settings: { timeout: MINUTE }, retry: { attempts: 1 }, timeLimit: { soft: 300, hard: MINUTE } });
    let hungUp: Promise<unknown> | undefined;
    const job = await enqueue(receiver.answer((response) => void (hungUp = once(response, 'close'))));
    await expect(job.result()).rejects.toThrow(JobFailedError);
    expect((await job.status()).error).toMatchObject({ name: 'SoftTimeLimitError' });
    await hungUp;
  });
});
