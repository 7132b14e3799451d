import { Inject, Injectable } from '@nestjs/common';
import { type JobContext, NonRetryableError, Task } from 'nestjs-jobs';
import { DeliveryFailedError, DeliveryTimeoutError } from './delivery.errors.js';
import { type Answer, postOnce } from './post-once.js';
import { signedRequest } from './signed-request.js';
import { type DeliverWebhook, type WebhookReceipt, WEBHOOKS_QUEUE } from './webhook.payload.js';
import { WebhookRefusedError } from './webhook-refused.error.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './webhook-settings.js';
import { WebhookTargets } from './webhook-targets.js';

/** The 4xx statuses that say "not now" rather than "not so". */
const TRANSIENT = [408, 425, 429];

@Injectable()
export class Webhooks {
  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    private readonly targets: WebhookTargets,
  ) {}

  /** Delivers at least once: a receiver knows a repetition by its `webhook-id`. */
  @Task({ name: 'webhooks.deliver', queue: WEBHOOKS_QUEUE })
  async deliver(payload: DeliverWebhook, job: JobContext): Promise<WebhookReceipt> {
    const { status, retryAfter } = await this.post(payload, job);
    const code = `HTTP_${status}`;
    if (status >= 200 && status < 300) {
      return { status, deliveredAt: new Date().toISOString(), attempts: job.attempt };
    }
    if (status < 500 && !TRANSIENT.includes(status)) {
      const meaning = status >= 300 && status < 400 ? 'and redirects are not followed' : 'so it is not tried again';
      throw new NonRetryableError(`The receiver answered ${status}, ${meaning}.`, { code });
    }
    throw new DeliveryFailedError(code, `The receiver answered ${status}.`, retryAfter);
  }

  private async post(payload: DeliverWebhook, job: JobContext): Promise<Answer> {
    const { secret, connectTimeout, timeout } = this.settings;
    try {
      return await postOnce(this.targets.check(payload.url), {
        ...signedRequest(job.id, payload, secret, new Date()),
        lookup: this.targets.lookup,
        connectTimeout,
        timeout,
        signal: job.signal,
      });
    } catch (error) {
      job.signal.throwIfAborted();
      if (error instanceof WebhookRefusedError) {
        throw new NonRetryableError(`The url ${error.message}.`, { code: error.code });
      }
      throw unreachable(error);
    }
  }
}

/** Only the code is told: Node's message has the address, or for several addresses that failed nothing at all. */
function unreachable(error: unknown): DeliveryFailedError {
  if (error instanceof DeliveryTimeoutError || error instanceof DeliveryFailedError) {
    return new DeliveryFailedError(error.code, `The receiver could not be reached: ${error.message}.`);
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? 'UNREACHABLE';
  return new DeliveryFailedError(code, `The receiver could not be reached: ${code}.`);
}
