import { Module } from '@nestjs/common';
import { PaymentLedger } from './payment-ledger.js';
import { PaymentProvider } from './payment-provider.js';
import { Payments } from './payments.task.js';

/** What a worker needs. */
@Module({ providers: [Payments, PaymentProvider, PaymentLedger] })
export class PaymentsTaskModule {}
