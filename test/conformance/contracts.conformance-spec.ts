import { Catch, Injectable, UseFilters, type ExceptionFilter } from '@nestjs/common';
import { Skip, Task, task, taskContract, type JobContext } from 'nestjs-jobs';
import { of, type Observable } from 'rxjs';
import { z } from 'zod';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const charge = taskContract('billing.charge', {
  queue: 'billing',
  retry: { attempts: 4, delay: 1 },
  input: z.object({ cents: z.string().transform(Number) }),
  output: z.object({ receipt: z.number().positive().transform(String) }),
});
const describeJob = taskContract<{ name: string }, { queue: string; attempts: number; name: string }>(
  'billing.describe',
  {
    queue: 'billing',
    retry: { attempts: 7 },
  },
);
const later = taskContract('billing.later', { output: z.array(z.number()) });
const skipped = taskContract('billing.skipped', { output: z.object({ done: z.literal(true) }) });

@Catch()
class Swallow implements ExceptionFilter {
  catch(): string {
    return 'swallowed';
  }
}

@Injectable()
class Billing {
  @Task(charge)
  async charge({ cents }: { cents: number }): Promise<{ receipt: number }> {
    const entity = { receipt: cents, passwordHash: 'secret' };
    return entity;
  }

  @Task(describeJob)
  describe({ name }: { name: string }, job: JobContext): { queue: string; attempts: number; name: string } {
    return { queue: job.queue, attempts: job.maxAttempts, name };
  }

  @Task(later)
  later(): Observable<number[]> {
    return of([1], [1, 2]);
  }

  @Task(skipped)
  @UseFilters(Swallow)
  skipped(): { done: true } {
    throw new Skip('nothing to do');
  }
}

describe.each(backends)('a contract on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Billing], options: { queues: { billing: {} } } });
  });
  afterAll(() => started?.close());

  it('reaches the task of the class, and the class the same', async () => {
    const names = ['by contract', 'by class'];
    const jobs = await started.jobs.enqueueMany([
      { task: describeJob, payload: { name: names[0]! } },
      { task: task(Billing, 'describe'), payload: { name: names[1]! } },
    ]);
    const results = await Promise.all(jobs.map((job) => job.result()));
    expect(results).toEqual(names.map((name) => ({ queue: 'billing', attempts: 7, name })));
    expect((await jobs[0].status()).task).toBe('billing.describe');
  });

  it('needs no class where jobs are only enqueued', async () => {
    const producer = await startJobsApp({ backend, options: { queues: { billing: {} }, workers: false } });
    try {
      const job = await producer.jobs.enqueue(charge, { cents: '12' }, { delay: '1h' });
      expect(await job.status()).toMatchObject({ task: 'billing.charge', queue: 'billing', maxAttempts: 4 });
      await expect(producer.jobs.enqueue(charge, { cents: 12 } as never)).rejects.toMatchObject({
        name: 'PayloadInvalidError',
        issues: [{ path: '$.cents' }],
      });
    } finally {
      await producer.close();
    }
  });

  it('makes the result of what is returned, and nothing else is stored', async () => {
    const job = await started.jobs.enqueue(charge, { cents: '12' });
    expect(await job.result()).toEqual({ receipt: '12' });
    expect(await (await started.jobs.enqueue(later)).result()).toEqual([1, 2]);
  });

  it('fails a job that returned something else, and does not try it again', async () => {
    const job = await started.jobs.enqueue(charge, { cents: '-1' });
    await expect(job.result()).rejects.toMatchObject({
      error: { name: 'ResultInvalidError', message: expect.stringContaining('contract: $.receipt: ') as string },
    });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('asks for no result of a job that was skipped, whatever a filter made of that', async () => {
    const job = await started.jobs.enqueue(skipped);
    expect(await job.result()).toBeNull();
    expect(await job.status()).toMatchObject({ state: 'succeeded', reason: 'nothing to do' });
  });
});
