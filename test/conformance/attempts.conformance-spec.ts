import {
  BadGatewayException,
  BadRequestException,
  ConflictException,
  ForbiddenException,
  GatewayTimeoutException,
  GoneException,
  HttpException,
  HttpVersionNotSupportedException,
  ImATeapotException,
  Injectable,
  InternalServerErrorException,
  MethodNotAllowedException,
  MisdirectedException,
  NotAcceptableException,
  NotFoundException,
  NotImplementedException,
  PayloadTooLargeException,
  PreconditionFailedException,
  RequestTimeoutException,
  ServiceUnavailableException,
  UnauthorizedException,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { NonRetryableError, Task, task, type JobHandle, type JobStatus, type TaskRef } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

/** No attempt mends these. */
const FINAL: (() => Error)[] = [
  () => new BadRequestException(),
  () => new UnauthorizedException(),
  () => new HttpException('payment required', 402),
  () => new ForbiddenException(),
  () => new NotFoundException(),
  () => new MethodNotAllowedException(),
  () => new NotAcceptableException(),
  () => new ConflictException(),
  () => new GoneException(),
  () => new PreconditionFailedException(),
  () => new PayloadTooLargeException(),
  () => new UnsupportedMediaTypeException(),
  () => new ImATeapotException(),
  () => new MisdirectedException(),
  () => new UnprocessableEntityException(),
  () => new HttpException('for legal reasons', 451),
  () => new HttpException('the last of them', 499),
  () => new NonRetryableError('no use'),
  () => new (class OutOfStock extends NonRetryableError {})('none left'),
];

const RETRIED: (() => unknown)[] = [
  () => new RequestTimeoutException(),
  () => new HttpException('too early', 425),
  () => new HttpException('too many requests', 429),
  () => new InternalServerErrorException(),
  () => new NotImplementedException(),
  () => new BadGatewayException(),
  () => new ServiceUnavailableException(),
  () => new GatewayTimeoutException(),
  () => new HttpVersionNotSupportedException(),
  () => new HttpException('moved', 302),
  () => new Error('an ordinary one'),
  () => new Error('wrapped', { cause: new NonRetryableError('inside') }),
  () => 'no error at all',
];

@Injectable()
class Attempts {
  @Task({ retry: { attempts: 2, delay: 1, jitter: 'none' } })
  throws({ list, index }: { list: 'final' | 'retried'; index: number }): never {
    throw (list === 'final' ? FINAL : RETRIED)[index]!();
  }

  @Task({ retry: { attempts: 6, delay: '1h', factor: 3, maxDelay: '10h', jitter: 'none' } })
  grows(): never {
    throw new Error('again');
  }

  @Task({ retry: { attempts: 4, delay: '1h', factor: 1, maxDelay: '1h', jitter: 'full' } })
  jittersFully(): never {
    throw new Error('again');
  }

  @Task({ retry: { attempts: 4, delay: '1h', factor: 1, maxDelay: '1h', jitter: 0.25 } })
  jittersAQuarter(): never {
    throw new Error('again');
  }

  @Task({ retry: { attempts: 1 } })
  once(): never {
    throw Object.assign(new Error('broken', { cause: new TypeError('inside', { cause: 'text' }) }), { code: 'E_ONCE' });
  }
}

const HOUR = 3_600_000;

describe.each(backends)('attempts on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Attempts],
      options: { queues: { default: { concurrency: 20 } } },
    });
  });
  afterAll(() => started?.close());

  async function endOf(job: JobHandle): Promise<JobStatus> {
    return eventually(async () => {
      const status = await job.status();
      expect(status.terminal).toBe(true);
      return status;
    });
  }

  it.each([
    ['final', FINAL, 1],
    ['retried', RETRIED, 2],
  ] as const)('[R2] are %s by what was thrown', async (list, errors, attempts) => {
    const entries = errors.map((_, index) => ({ task: task(Attempts, 'throws'), payload: { list, index } }));
    const ends = await Promise.all((await started.jobs.enqueueMany(entries)).map(endOf));
    const told = ends.map((status) => `${status.error!.name}: ${status.error!.message} x${status.attempts.length}`);
    const expected = errors.map((make) => {
      const error = make();
      return `${error instanceof Error ? `${error.name}: ${error.message}` : `Error: ${String(error)}`} x${attempts}`;
    });
    expect(told).toEqual(expected);
  });

  async function waitsOf(ref: TaskRef<undefined, unknown>, retries: number): Promise<number[]> {
    const job = await started.jobs.enqueue(ref);
    const waits: number[] = [];
    for (let retry = 1; retry <= retries; retry++) {
      const status = await eventually(async () => {
        const now = await job.status();
        expect(now).toMatchObject({ state: 'retrying', attempt: retry });
        return now;
      });
      waits.push(Date.parse(status.scheduledFor!) - Date.parse(status.attempts.at(-1)!.endedAt!));
      await (await started.jobs.queue('default').getJob(job.id))!.promote();
    }
    return waits;
  }

  it('[R1] wait exponentially longer, up to the cap', async () => {
    expect(await waitsOf(task(Attempts, 'grows'), 5)).toEqual([1, 3, 9, 10, 10].map((hours) => hours * HOUR));
  });

  it.each([
    ['all of the wait', task(Attempts, 'jittersFully'), 0],
    ['a part of the wait', task(Attempts, 'jittersAQuarter'), 0.75 * HOUR],
  ])('[R1] draw %s at random', async (_what, ref, least) => {
    const waits = await waitsOf(ref, 3);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait).toBeLessThanOrEqual(HOUR);
    }
    // One in millions of runs draws the same number of milliseconds twice each time.
    expect(new Set(waits).size).toBeGreaterThan(1);
  });

  it('[A2] show what they failed with: name, message, code and cause, and no stack', async () => {
    const { error, attempts, ...status } = await endOf(await started.jobs.enqueue(task(Attempts, 'once')));
    expect(error).toEqual({
      name: 'Error',
      message: 'broken',
      code: 'E_ONCE',
      cause: { name: 'TypeError', message: 'inside' },
    });
    expect(attempts).toEqual([
      { attempt: 1, startedAt: status.startedAt, endedAt: expect.any(String) as string, error },
    ]);
    expect(status).toMatchObject({ state: 'failed', attempt: 1, maxAttempts: 1 });
  });
});
