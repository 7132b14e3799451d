import { Injectable } from '@nestjs/common';
import { Idempotent, type JobContext, NonRetryableError, Task } from 'nestjs-jobs';
import { type ChargePayment, type Receipt, KEY_LIFE, PAYMENTS_QUEUE } from './payment.payload.js';
import { ChargeRefusedError, PaymentProvider } from './payment-provider.js';

@Injectable()
export class Payments {
  constructor(private readonly provider: PaymentProvider) {}

  /**
   * One charge for each key. `@Idempotent` keeps the receipt. A process may die after the charge and before that, so the
   * provider is given `job.idempotencyKey`, which is the same for whoever charges then.
   */
  @Task({ name: 'payments.charge', queue: PAYMENTS_QUEUE })
  @Idempotent({ key: ({ key }) => key, ttl: KEY_LIFE })
  async charge(payment: ChargePayment, job: JobContext): Promise<Receipt> {
    // The last moment for a cancellation: with the charge made, the receipt must follow.
    job.signal.throwIfAborted();
    try {
      return await this.provider.charge(payment, job.idempotencyKey);
    } catch (error) {
      if (error instanceof ChargeRefusedError) throw new NonRetryableError(error.message, { code: 'KEY_USED' });
      throw error;
    }
  }
}
