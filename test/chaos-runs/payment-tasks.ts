import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Idempotent, Task, type JobContext } from '../../libs/jobs/src/index.js';
import { PLENTY_OF_ATTEMPTS } from './chaos-tasks.js';
import { LedgerFile, type PaymentRun } from './ledger.js';

/** All jobs of a payment have the same one. */
export interface PaymentOrder {
  readonly key: string;
  /** Milliseconds, half of them before it charges. */
  readonly takes: number;
  readonly throwsFirst: boolean;
}

export interface PaymentResult {
  /** Of the run whose result it is. */
  readonly nonce: string;
}

/** Has an effect that must be there once. The service that it charges with is the ledger, which tells who asked by `idempotencyKey`. */
@Injectable()
export class PaymentTasks {
  constructor(private readonly ledger: LedgerFile) {}

  @Task({ name: 'chaos.pay', retry: { attempts: PLENTY_OF_ATTEMPTS, delay: 1, maxDelay: 10 } })
  @Idempotent({ key: ({ key }) => key })
  async pay({ key, takes, throwsFirst }: PaymentOrder, job: JobContext): Promise<PaymentResult> {
    const { id, attempt, idempotencyKey } = job;
    const run: PaymentRun = { id, attempt, key, nonce: randomUUID(), idempotencyKey };
    this.ledger.append({ what: 'paying', ...run });
    await pause(takes / 2);
    if (throwsFirst && attempt === 1) {
      this.ledger.append({ what: 'not paid', ...run });
      throw new Error('as ordered');
    }
    this.ledger.append({ what: 'charged', ...run });
    await pause(takes / 2);
    this.ledger.append({ what: 'paid', ...run });
    return { nonce: run.nonce };
  }
}
