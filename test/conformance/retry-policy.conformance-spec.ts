import { Injectable, NotFoundException } from '@nestjs/common';
import { NonRetryableError, RetryLater, Task, task, type JobHandle, type JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

class NetworkError extends Error {}
class CertificateError extends NetworkError {}

const THROWN = {
  network: () => new NetworkError('no route'),
  certificate: () => new CertificateError('expired'),
  other: () => new Error('other'),
  'not found': () => new NotFoundException(),
  final: () => new NonRetryableError('no use'),
  later: () => new RetryLater(0),
} satisfies Record<string, () => Error>;
type Thrown = keyof typeof THROWN;

const HOUR = 3_600_000;

@Injectable()
class Selective {
  @Task({ retry: { attempts: 2, delay: 1, retryOn: [NetworkError, 'NotFoundException'], giveUpOn: CertificateError } })
  listed(thrown: Thrown): never {
    throw THROWN[thrown]();
  }

  @Task({ retry: { attempts: 2, delay: 1, giveUpOn: (error) => error instanceof Error && error.message === 'other' } })
  exceptOther(thrown: Thrown): never {
    throw THROWN[thrown]();
  }

  @Task({ retry: { attempts: 9, delay: '1h', maxDelay: '1h', jitter: 'none', maxElapsed: '30m' } })
  impatient(): never {
    throw new Error('again');
  }

  @Task({ retry: { attempts: 9, maxElapsed: '30m' } })
  impatientWhenTold(): never {
    throw new RetryLater('31m', { message: 'closed' });
  }

  @Task({ retry: { attempts: 9, delay: '1ms', jitter: 'none', maxElapsed: '30m' } })
  patient(_payload: undefined, job: { attempt: number }): number {
    if (job.attempt < 3) throw new Error('again');
    return job.attempt;
  }

  @Task({ retry: { attempts: 2, delay: '1m', jitter: 'none' } })
  told({ retryAfter }: { retryAfter: number | string }): never {
    throw Object.assign(new Error('busy'), { retryAfter });
  }

  @Task({ retry: { attempts: 2 } })
  toldByHeader({ header }: { header: string | null }): never {
    throw RetryLater.after(header, '2h', { code: 'BUSY' });
  }
}

describe.each(backends)('which errors are tried again on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Selective] });
  });
  afterAll(() => started?.close());

  async function when(job: JobHandle, state: JobStatus['state']): Promise<JobStatus> {
    return eventually(async () => {
      const status = await job.status();
      expect(status.state).toBe(state);
      return status;
    });
  }

  it.each([
    ['retryOn', 'listed', { network: 2, certificate: 1, other: 1, 'not found': 2, final: 1, later: 2 }],
    ['giveUpOn', 'exceptOther', { network: 2, certificate: 2, other: 1, 'not found': 1, final: 1, later: 2 }],
  ] as const)('[R2] %s decides, but never over what the task itself says', async (_option, method, expected) => {
    const kinds = Object.keys(THROWN) as Thrown[];
    const entries = kinds.map((payload) => ({ task: task(Selective, method), payload }));
    const jobs = await started.jobs.enqueueMany(entries);
    const ends = await Promise.all(jobs.map((job) => when(job, 'failed')));
    expect(Object.fromEntries(kinds.map((kind, n) => [kind, ends[n]!.attempts.length]))).toEqual(expected);
  });

  it.each(['impatient', 'impatientWhenTold'] as const)(
    '[R1] nothing waits for longer than maxElapsed allows (%s)',
    async (method) => {
      const status = await when(await started.jobs.enqueue(task(Selective, method)), 'failed');
      expect(status).toMatchObject({
        attempt: 1,
        maxAttempts: 9,
        error: { message: expect.stringMatching(/again|closed/) },
      });
    },
  );

  it('[R1] maxElapsed ends nothing that is quick', async () => {
    expect(await (await started.jobs.enqueue(task(Selective, 'patient'))).result()).toBe(3);
  });

  async function waitOf(job: JobHandle): Promise<number> {
    const { scheduledFor, attempts } = await when(job, 'retrying');
    return Date.parse(scheduledFor!) - Date.parse(attempts.at(-1)!.endedAt!);
  }

  it.each([
    [2 * HOUR, 2 * HOUR],
    ['7200', 2 * HOUR],
    [1, 60_000],
    ['soon', 60_000],
  ])(
    '[R3] an error that carries the delay %j waits %i ms, and never less than the policy',
    async (retryAfter, wait) => {
      expect(await waitOf(await started.jobs.enqueue(task(Selective, 'told'), { retryAfter }))).toBe(wait);
    },
  );

  it.each([
    ['600', 600_000],
    [null, 2 * HOUR],
  ])('[R3] RetryLater.after(%j) waits %i ms', async (header, wait) => {
    expect(await waitOf(await started.jobs.enqueue(task(Selective, 'toldByHeader'), { header }))).toBe(wait);
  });
});
