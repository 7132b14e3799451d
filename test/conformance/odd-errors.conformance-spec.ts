import { HttpException, Injectable } from '@nestjs/common';
import { DelayedError, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Task, task, type JobContext } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const refuse = (): never => {
  throw new Error('in a trap');
};
/** A proxy of which nothing can be asked, not even its prototype. */
const closed = (): object => new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });

class WithoutStatus extends HttpException {
  override getStatus(): number {
    throw new Error('no status');
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function ownCause(): Error {
  const error: Error = new Error('circle');
  error.cause = error;
  return error;
}

const THROWN = {
  undefined: () => undefined,
  null: () => null,
  text: () => 'text',
  symbol: () => Symbol('s'),
  function: () => refuse,
  'an object without a prototype': () => Object.create(null) as unknown,
  'a frozen error': () => Object.freeze(new Error('frozen')),
  'a proxy that refuses everything': closed,
  'a revoked proxy': revoked,
  'an error whose parts cannot be read': () =>
    Object.defineProperties(new Error('x'), {
      message: { get: refuse },
      stack: { get: refuse },
      name: { get: refuse },
    }),
  'an exception without a status': () => new WithoutStatus('odd', 400),
  'an error that is its own cause': ownCause,
  'a list of errors': () => new AggregateError([new Error('first'), new TypeError('second')], 'all failed'),
  'a megabyte': () => new Error('x'.repeat(1_000_000)),
  'a delay of more than all time': () => Object.assign(new Error('x'), { retryAfter: -1e300 }),
  'a header that is none': () => Object.assign(new Error('x'), { retryAfter: '1e300' }),
  'what BullMQ throws to limit a rate': () => Worker.RateLimitError(),
  'what BullMQ throws to delay': () => new DelayedError(),
  'what BullMQ throws to wait': () => new WaitingError(),
  'what BullMQ throws to give up': () => new UnrecoverableError('final'),
  'text that begins like a cancellation': () => new Error('nestjs-jobs:cancelled by somebody'),
  'text that is a cancellation': () => new Error('nestjs-jobs:cancelled "by somebody"'),
} satisfies Record<string, () => unknown>;
type Thrown = keyof typeof THROWN;

@Injectable()
class Odd {
  @Task({ retry: { attempts: 2, delay: 1 } })
  once(thrown: Thrown, job: JobContext): number {
    if (job.attempt === 1) throw THROWN[thrown]();
    return job.attempt;
  }

  @Task({
    retry: { attempts: 2, delay: 1, retryOn: [() => refuse(), SyntaxError], giveUpOn: [() => refuse(), SyntaxError] },
  })
  asked(thrown: Thrown, job: JobContext): number {
    if (job.attempt === 1) throw THROWN[thrown]();
    return job.attempt;
  }

  @Task({ retry: { attempts: 1 } })
  always(thrown: Thrown): never {
    throw THROWN[thrown]();
  }
}

describe.each(backends)('whatever is thrown on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Odd] });
  });
  afterAll(() => started?.close());

  it.each(Object.keys(THROWN) as Thrown[])('[R2] %s is an attempt that failed, and tried again', async (thrown) => {
    for (const method of ['once', 'asked'] as const) {
      const job = await started.jobs.enqueue(task(Odd, method), thrown);
      expect(await job.result({ timeout: 5_000 })).toBe(2);
      const error = { name: expect.any(String) as string, message: expect.any(String) as string };
      expect((await job.status()).attempts).toMatchObject([{ attempt: 1, error }, { attempt: 2 }]);
    }
  });

  it.each(Object.keys(THROWN) as Thrown[])('[R2] %s of the last attempt ends the job as failed', async (thrown) => {
    const job = await started.jobs.enqueue(task(Odd, 'always'), thrown);
    await expect(job.result({ timeout: 5_000 })).rejects.toMatchObject({ name: 'JobFailedError' });
    const status = await job.status();
    expect(status).toMatchObject({ state: 'failed', attempt: 1, error: status.attempts[0]!.error! });
  });
});
