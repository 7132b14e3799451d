import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import type { Payment, Receipt } from './payment.payload.js';
import { PaymentLedger } from './payment-ledger.js';

/** The key was used for another charge. */
export class ChargeRefusedError extends Error {
  override readonly name = 'ChargeRefusedError';
}

/** Stands in for the service of a bank. As such services do, it charges once for each key, however often it is asked. */
@Injectable()
export class PaymentProvider {
  constructor(
    private readonly ledger: PaymentLedger,
    @Inject(ConfigService) private readonly config: EnvironmentConfig,
  ) {}

  /** @throws {@link ChargeRefusedError} */
  async charge({ customer, amountCents, currency }: Payment, idempotencyKey: string): Promise<Receipt> {
    const receipt = await this.ledger.writeOnce(idempotencyKey, {
      chargeId: randomUUID(),
      customer,
      amountCents,
      currency,
      chargedAt: new Date().toISOString(),
    });
    // It has charged, and its answer is on the way: whoever dies now does not know of it.
    await pause(this.config.get('PAYMENT_ANSWER_MS', { infer: true }));
    const isSame =
      receipt.customer === customer && receipt.amountCents === amountCents && receipt.currency === currency;
    if (!isSame) throw new ChargeRefusedError('The key was used for another payment.');
    return receipt;
  }
}
