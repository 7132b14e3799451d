import { randomUUID } from 'node:crypto';
import {
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import {
  chunks,
  Idempotent,
  InvalidCanvasError,
  isJobsContext,
  Locked,
  map,
  RateLimited,
  Signature,
  Skip,
  Task,
  task,
  type JobContext,
} from 'nestjs-jobs';
import { catchError, of } from 'rxjs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const WAIT = { timeout: '50s' } as const;
const REFUSAL = 'must be a task without @';

/** Knows nothing of skipping. */
@Injectable()
class Swallows implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    if (!isJobsContext(context)) throw new Error('for tasks');
    return next.handle().pipe(catchError(() => of('swallowed')));
  }
}

@Injectable()
class Items {
  readonly ran: number[] = [];
  readonly keys: string[] = [];
  readonly begun = signal();

  /** Has nothing to do for odd numbers. */
  @Task()
  @UseInterceptors(Swallows)
  async half(n: number): Promise<number> {
    if (n % 2 === 1) throw new Skip('odd');
    return n / 2;
  }

  @Task({ retry: { attempts: 2, delay: 1, jitter: 'none' } })
  async charge(n: number, job: JobContext): Promise<number> {
    this.keys.push(job.idempotencyKey);
    if (n === 3 && job.attempt === 1) throw new Error('once');
    return n;
  }

  @Task()
  @Idempotent({ key: (n: number) => `item ${n}` })
  async once(n: number): Promise<{ n: number }> {
    this.ran.push(n);
    return { n };
  }

  @Task()
  @RateLimited({ limit: '1/h' })
  async together(n: number): Promise<number> {
    return n;
  }

  @Task()
  @RateLimited({ limit: '1000/s', key: (n: number) => `${n}` })
  async keyed(n: number): Promise<number> {
    this.ran.push(n);
    return n;
  }

  @Task()
  @RateLimited({ limit: '1000/s', cost: (n: number) => n })
  async dear(n: number): Promise<number> {
    this.ran.push(n);
    return n;
  }

  @Task()
  @Locked({ key: 'one', ttl: '30s' })
  async locked(n: number): Promise<number> {
    this.ran.push(n);
    return n;
  }

  /** Does not look whether it is to stop. */
  @Task()
  async slow(n: number, job: JobContext): Promise<number> {
    this.ran.push(n);
    this.begun.reach();
    if (n === 2) await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    return n;
  }
}

describe.each(backends)('many items in one job on $name', (backend) => {
  let app: JobsApp;
  let items: Items;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Items, Swallows] });
    items = app.app.get(Items);
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    items.ran.length = 0;
  });

  const run = async (canvas: Signature<undefined, unknown>): Promise<unknown> =>
    (await app.jobs.start(canvas)).result(WAIT);

  it('[V5] one that is skipped is null among the results of the others', async () => {
    expect(await run(map(task(Items, 'half'), [4, 5, 6, 7]))).toEqual([2, null, 3, null]);
    expect(await run(chunks(task(Items, 'half'), [1, 2, 3], 2))).toEqual([[null, 1], [null]]);
  });

  it('[V5] [I2] each has a key of its own for other services, the same in each attempt', async () => {
    expect(await run(map(task(Items, 'charge'), [1, 2, 3]))).toEqual([1, 2, 3]);
    const [first, second] = [items.keys.slice(0, 3), items.keys.slice(3)];
    expect(second).toEqual(first);
    expect(new Set(first).size).toBe(3);
  });

  it('[V5] [I1] one that was done before has the result of then, and the job is still its own', async () => {
    const once = task(Items, 'once');
    await (await app.jobs.enqueue(once, 2)).result(WAIT);
    const handle = await app.jobs.start(map(once, [1, 2, 3, 1]));
    expect(await handle.result(WAIT)).toEqual([1, 2, 3, 1].map((n) => ({ n })));
    expect(items.ran).toEqual([2, 1, 3]);
    expect(await handle.status()).not.toHaveProperty('deduplicatedBy');
  });

  it('[V5] [L3] a limit that is the same for all counts the job', async () => {
    expect(await run(map(task(Items, 'together'), [1, 2, 3]))).toEqual([1, 2, 3]);
  });

  it.each(['keyed', 'dear', 'locked'] as const)(
    '[V5] a task that would wait for each is refused: %s',
    async (method) => {
      const started = app.jobs.start(map(task(Items, method), [1, 2, 3]));
      await expect(started).rejects.toThrow(InvalidCanvasError);
      await expect(started).rejects.toThrow(`the canvas ${REFUSAL}`);
      await expect(started).rejects.toThrow('Give a group of its signatures');
    },
  );

  it('[V5] [A6] when it is cancelled, no further item begins', async () => {
    const handle = await app.jobs.start(map(task(Items, 'slow'), [1, 2, 3, 4]));
    await items.begun.reached;
    await handle.cancel({ reason: 'enough' });
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'enough' });
    expect(items.ran).not.toContain(3);
  });

  it('[V5] one that a process has started which does not know the task ends before its first item', async () => {
    const id = `default_${randomUUID()}`;
    await app.jobs.queue('default').add('Items.locked', { p: [1, 2], c: { r: 1 } }, { jobId: id, attempts: 3 });
    await expect(app.jobs.job(id).result(WAIT)).rejects.toThrow(`the task of map(), starmap() or chunks() ${REFUSAL}`);
    expect(await app.jobs.job(id).status()).toMatchObject({
      attempt: 1,
      state: 'failed',
      error: { name: 'InvalidCanvasError' },
    });
    expect(items.ran).toEqual([]);
  });
});
