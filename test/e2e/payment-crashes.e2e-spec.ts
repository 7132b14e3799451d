import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { ConfigService } from '@nestjs/config';
import { task, type JobStatus } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import request from 'supertest';
import { PAYMENTS_QUEUE, type Payment, type Receipt } from '../../apps/sample-api/src/payments/payment.payload.js';
import { PaymentLedger } from '../../apps/sample-api/src/payments/payment-ledger.js';
import { PaymentProvider } from '../../apps/sample-api/src/payments/payment-provider.js';
import { PaymentsController } from '../../apps/sample-api/src/payments/payments.controller.js';
import { Payments } from '../../apps/sample-api/src/payments/payments.task.js';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { chargesOf } from '../support/payments-ledger.js';

const PAYMENT: Payment = { customer: 'c-42', amountCents: 1999, currency: 'EUR' };

describe.each(backends)('payments on $name', (backend) => {
  let directory: string;
  let running: JobsApp;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'payments-'));
  });
  afterEach(async () => {
    await running?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function start(answerAfter = 0): Promise<void> {
    const config = new ConfigService({ PAYMENTS_DIR: directory, PAYMENT_ANSWER_MS: answerAfter });
    running = await startJobsApp({
      backend,
      controllers: [PaymentsController],
      providers: [Payments, PaymentProvider, PaymentLedger, { provide: ConfigService, useValue: config }],
      imports: [JobsHttpModule.forRoot()],
      options: { queues: { [PAYMENTS_QUEUE]: {} } },
    });
  }

  function post(payment: Payment): request.Test {
    const server = running.app.getHttpServer() as never;
    return request(server).post('/payments').set('idempotency-key', 'order-7').send(payment);
  }

  async function ended(id: string): Promise<JobStatus> {
    return eventually(async () => {
      const status = await running.jobs.job(id).status();
      return status.terminal ? status : null;
    });
  }

  const jobCount = (): Promise<number> => running.jobs.queue(PAYMENTS_QUEUE).getJobCountByTypes();

  /** What is left when a process dies after it has enqueued the job, whose id it gives. */
  async function enqueueAndForgetTheAnswer(): Promise<string> {
    const { keptResults } = running.app.get<QueueBackend>(QUEUE_BACKEND);
    const keep = keptResults.keep.bind(keptResults);
    const spy = jest.spyOn(keptResults, 'keep').mockImplementation((line, ...rest) => {
      return line.name.includes(PaymentsController.name) ? Promise.reject(new Error('died')) : keep(line, ...rest);
    });
    expect((await post(PAYMENT)).status).toBe(500);
    spy.mockRestore();
    // One that goes from one state to the next meanwhile is in neither list.
    return eventually(async () => {
      const jobs = await running.jobs.queue(PAYMENTS_QUEUE).getJobs();
      expect(jobs).toHaveLength(1);
      return jobs[0]!.id!;
    });
  }

  it('[I2] finds the job again whose answer was not kept', async () => {
    await start();
    const id = await enqueueAndForgetTheAnswer();
    const { status, body } = await post(PAYMENT);
    expect([status, body]).toEqual([202, expect.objectContaining({ id })]);
    const { state, result } = await ended(id);
    expect(state).toBe('succeeded');
    expect(await jobCount()).toBe(1);
    expect(await chargesOf(PAYMENT.customer, directory)).toEqual([result]);
  });

  it('[I2] charges nothing for another body, also when the answer to the first one was not kept', async () => {
    await start();
    const { result } = await ended(await enqueueAndForgetTheAnswer());
    const { status, body } = await post({ ...PAYMENT, amountCents: 2999 });
    expect(status).toBe(202);
    const other = await ended((body as { id: string }).id);
    expect(other).toMatchObject({ state: 'failed', attempt: 1, error: { name: 'IdempotencyMismatchError' } });
    expect(await chargesOf(PAYMENT.customer, directory)).toEqual([result]);
  });

  it('[I2] gives the receipt of a charge that was made, although it is cancelled meanwhile', async () => {
    await start(500);
    const job = await running.jobs.enqueue(task(Payments, 'charge'), { key: 'order-7', ...PAYMENT });
    const [charge] = await eventually(async () => {
      const charges = await chargesOf(PAYMENT.customer, directory);
      return charges.length > 0 ? charges : null;
    });
    await job.cancel();
    expect((await job.result()) satisfies Receipt).toEqual(charge);
  });

  it('[I2] the provider charges once for a key, and refuses it for another payment', async () => {
    await start();
    const provider = running.app.get(PaymentProvider);
    const key = '0'.repeat(64);
    const receipts = await Promise.all(Array.from({ length: 20 }, () => provider.charge(PAYMENT, key)));
    expect(await chargesOf(PAYMENT.customer, directory)).toEqual([receipts[0]]);
    expect(new Set(receipts.map(({ chargeId }) => chargeId)).size).toBe(1);
    const other = provider.charge({ ...PAYMENT, currency: 'USD' }, key);
    await expect(other).rejects.toThrow('used for another payment');
    expect(await chargesOf(PAYMENT.customer, directory)).toHaveLength(1);
  });
});
