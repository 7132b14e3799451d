import { Injectable } from '@nestjs/common';
import { BlockingResultError, JobsService, Task, task, type JobHandle } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

@Injectable()
class Results {
  static caught: unknown;

  constructor(private readonly jobs: JobsService) {}

  @Task({ retry: { attempts: 2, delay: 1 } })
  text({ of, times }: { of: string; times: number }): string {
    return of.repeat(times);
  }

  @Task()
  rows(count: number): { id: number; name: string }[] {
    return Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}` }));
  }

  @Task({ keepResult: false })
  unread(): unknown {
    return { when: new Date(), text: 'x'.repeat(10_000) };
  }

  @Task()
  odd(): unknown {
    return { 'nestjs-jobs': { result: 1 } };
  }

  @Task({ retry: { attempts: 3, delay: 1 } })
  async waitsFor(id: string): Promise<unknown> {
    return this.jobs.job(id).result();
  }

  @Task()
  async looksAt(id: string): Promise<unknown> {
    try {
      await this.jobs.job(id).result({ timeout: 1 });
    } catch (error) {
      Results.caught = error;
    }
    return (await this.jobs.job(id).status()).state;
  }

  @Task()
  leavesBehind({ id, key }: { id: string; key: string }): void {
    const gate = gates.get(key)!;
    void gate.open.reached.then(() => gate.left.reach(this.jobs.job(id).result()));
  }
}

const gates = new Map<string, { open: ReturnType<typeof signal>; left: ReturnType<typeof signal<Promise<unknown>>> }>();

describe.each(backends)('results on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Results],
      options: { results: { inlineLimit: '2kb', store: false } },
    });
  });
  afterAll(() => started?.close());

  async function failureOf(job: JobHandle): Promise<unknown> {
    return job.result().then(
      () => 'it succeeded',
      (error: unknown) => error,
    );
  }

  describe('in the queue', () => {
    it('[X2] are kept up to results.inlineLimit, in bytes of JSON', async () => {
      for (const payload of [
        { of: 'x', times: 2_046 },
        { of: 'ü', times: 1_023 },
        { of: '"', times: 1_023 },
      ]) {
        const job = await started.jobs.enqueue(task(Results, 'text'), payload);
        expect(await job.result()).toBe(payload.of.repeat(payload.times));
        const longer = { ...payload, times: payload.times + 1 };
        const tooLarge = await started.jobs.enqueue(task(Results, 'text'), longer);
        expect(await failureOf(tooLarge)).toMatchObject({ error: { name: 'ResultTooLargeError' } });
      }
    });

    it('[X2] fail the job once when they are larger and there is no store, with both sizes and what to do', async () => {
      const job = await started.jobs.enqueue(task(Results, 'rows'), 100);
      const size = Buffer.byteLength(JSON.stringify(new Results(started.jobs).rows(100)));
      const { error } = (await failureOf(job)) as { error: { message: string } };
      expect(error.message).toContain(`task "Results.rows" is ${size} bytes of JSON; results.inlineLimit allows 2048`);
      expect(error.message).toMatch(/Set results.store, store the data elsewhere/);
      expect((await job.status()).attempts).toHaveLength(1);
    });

    it('are not kept with keepResult: false, whatever they are', async () => {
      const job = await started.jobs.enqueue(task(Results, 'unread'));
      expect(await job.result()).toBeNull();
      expect(await job.status()).toMatchObject({ state: 'succeeded', result: null, attempt: 1 });
      const tooLarge = { of: 'x', times: 5_000 };
      const call = await started.jobs.enqueue(task(Results, 'text'), tooLarge, { keepResult: false });
      expect(await call.result()).toBeNull();
      expect((await started.jobs.queue('default').getJob(call.id))!.returnvalue).toBeNull();
    });

    it('come back as they were, whatever they look like', async () => {
      const job = await started.jobs.enqueue(task(Results, 'odd'));
      expect(await job.result()).toEqual({ 'nestjs-jobs': { result: 1 } });
    });
  });

  describe('in a task that runs', () => {
    it('[X1] are not waited for: the job fails at once, naming both jobs', async () => {
      const other = await started.jobs.enqueue(task(Results, 'rows'), 1, { delay: '1h' });
      const job = await started.jobs.enqueue(task(Results, 'waitsFor'), other.id);
      const { error } = (await failureOf(job)) as { error: { name: string; message: string } };
      expect(error.name).toBe('BlockingResultError');
      expect(error.message).toContain(`job "${job.id}" must not wait for the result of job "${other.id}"`);
      expect((await job.status()).attempts).toHaveLength(1);
    });

    it('[X1] also not of a job that has ended, while its status may be read', async () => {
      const other = await started.jobs.enqueue(task(Results, 'rows'), 1);
      await other.result();
      const job = await started.jobs.enqueue(task(Results, 'looksAt'), other.id);
      expect(await job.result()).toBe('succeeded');
      expect(Results.caught).toBeInstanceOf(BlockingResultError);
      expect(Results.caught).toMatchObject({ jobId: job.id, awaitedJobId: other.id });
    });

    it('[X1] may be waited for by what a task left behind, since that holds no slot', async () => {
      const gate = { open: signal(), left: signal<Promise<unknown>>() };
      gates.set(backend.name, gate);
      const other = await started.jobs.enqueue(task(Results, 'rows'), 1);
      const job = await started.jobs.enqueue(task(Results, 'leavesBehind'), { id: other.id, key: backend.name });
      await job.result();
      gate.open.reach();
      expect(await gate.left.reached).toEqual([{ id: 0, name: 'row 0' }]);
    });
  });
});
