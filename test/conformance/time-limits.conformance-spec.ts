import { Injectable } from '@nestjs/common';
import {
  AttemptEndedError,
  HardTimeLimitError,
  JobsService,
  SoftTimeLimitError,
  Task,
  task,
  type JobContext,
  type JobStatus,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

interface Zombie {
  readonly context: Signal<JobContext>;
  readonly open: Signal;
  readonly told: Signal<unknown[]>;
}

@Injectable()
class Limited {
  static zombies = new Map<string, Zombie>();
  static late: string[] = [];

  constructor(private readonly jobs: JobsService) {}

  @Task({ timeLimit: { soft: 50, hard: '1h' }, retry: { attempts: 2, delay: 1 } })
  async obedient(_payload: undefined, job: JobContext): Promise<string> {
    if (job.attempt === 2) return 'second';
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    throw job.signal.reason;
  }

  @Task({ timeLimit: { soft: 50, hard: '1h' } })
  async finishes(_payload: undefined, job: JobContext): Promise<unknown> {
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    return { reason: (job.signal.reason as Error).name };
  }

  @Task({ timeLimit: { hard: '1s' } })
  async hardAlone(_payload: undefined, job: JobContext): Promise<string> {
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    const { name, limit } = job.signal.reason as SoftTimeLimitError;
    return `${name} of ${limit}`;
  }

  @Task({ timeLimit: { soft: false, hard: 50 }, retry: { attempts: 1 } })
  async endless(): Promise<void> {
    await new Promise(() => {});
  }

  /** Its first attempt goes on after its time, and says and enqueues all that a task can. */
  @Task({ queue: 'single', timeLimit: { soft: 50, hard: 100 }, retry: { attempts: 2, delay: 1 } })
  async zombie(key: string, job: JobContext): Promise<string> {
    const { context, open, told } = Limited.zombies.get(key)!;
    if (job.attempt === 2) {
      await job.stage('second');
      return 'second';
    }
    await job.stage('first');
    context.reach(job);
    await open.reached;
    const calls = [
      () => job.stage('late'),
      () => job.progress(99),
      () => job.log('late'),
      () => job.enqueue(task(Limited, 'nothing')),
      () => this.jobs.enqueue(task(Limited, 'nothing')),
      () => this.jobs.enqueueMany([{ task: task(Limited, 'nothing') }]),
      async () => this.jobs.background(() => Limited.late.push(key)),
    ];
    told.reach((await Promise.allSettled(calls.map((call) => call()))).map((each) => 'reason' in each && each.reason));
    return 'first';
  }

  @Task({ queue: 'others' })
  nothing(): void {}
}

describe.each(backends)('time limits on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({
      backend,
      providers: [Limited],
      options: { queues: { single: { concurrency: 1 }, others: {} }, workers: { except: ['others'] } },
    });
  });
  afterAll(() => started?.close());

  it('[C3] the soft limit aborts the signal, and what is thrown then is tried again', async () => {
    const job = await started.jobs.enqueue(task(Limited, 'obedient'));
    expect(await job.result()).toBe('second');
    const { attempts } = await job.status();
    expect(attempts).toMatchObject([
      { attempt: 1, error: { name: 'SoftTimeLimitError', message: expect.stringContaining('50 ms') } },
      { attempt: 2 },
    ]);
    expect(attempts[0]).not.toHaveProperty('leftRunning');
  });

  it('[C3] a task that ends after its soft limit has succeeded', async () => {
    const job = await started.jobs.enqueue(task(Limited, 'finishes'));
    expect(await job.result()).toEqual({ reason: SoftTimeLimitError.name });
  });

  it('[C3] the hard limit ends an attempt that does not end itself, and the status says that its code goes on', async () => {
    const job = await started.jobs.enqueue(task(Limited, 'endless'));
    await expect(job.result()).rejects.toMatchObject({ error: { name: 'HardTimeLimitError' } });
    const { attempts } = await job.status();
    expect(attempts).toMatchObject([{ endedAt: expect.any(String), leftRunning: true }]);
  });

  it('[C3] after the hard limit the slot is free, and nothing that the code still does counts', async () => {
    const key = `${backend.name} zombie`;
    const zombie: Zombie = { context: signal<JobContext>(), open: signal(), told: signal<unknown[]>() };
    Limited.zombies.set(key, zombie);
    const job = await started.jobs.enqueue(task(Limited, 'zombie'), key);
    const context = await zombie.context.reached;
    // The only slot of its queue.
    expect(await job.result()).toBe('second');
    expect(context.signal.reason).toBeInstanceOf(SoftTimeLimitError);
    zombie.open.reach();
    const told = await zombie.told.reached;
    expect(told).toHaveLength(7);
    for (const error of told) expect(error).toBeInstanceOf(AttemptEndedError);
    const status: JobStatus = await job.status();
    expect(status).toMatchObject({ state: 'succeeded', result: 'second', attempt: 2, stage: { name: 'second' } });
    expect(status.attempts).toMatchObject([{ leftRunning: true, error: { name: HardTimeLimitError.name } }, {}]);
    expect(status).not.toHaveProperty('progress');
    expect(await started.jobs.queue('single').getJobLogs(job.id)).toMatchObject({ count: 0 });
    const others = await started.jobs.queue('others').getJobCounts();
    expect(Object.values(others).filter((count) => count > 0)).toEqual([]);
    expect(Limited.late).toEqual([]);
  });

  it('[C3] a hard limit alone brings its soft one', async () => {
    const job = await started.jobs.enqueue(task(Limited, 'hardAlone'));
    expect(await job.result()).toBe(`${SoftTimeLimitError.name} of 900`);
  });

  it('[C3] a shutdown does not wait for code that was left running, and says of which jobs', async () => {
    const logger = new MemoryLogger();
    const options = { shutdown: { grace: '1h' } };
    const { jobs, close } = await startJobsApp({
      backend,
      providers: [Limited],
      logger,
      options: { ...options, queues: { single: {}, others: {} } },
    });
    const left = await jobs.enqueue(task(Limited, 'endless'));
    const [key, open, told] = [`${backend.name} stopped`, signal(), signal<unknown[]>()];
    Limited.zombies.set(key, { context: signal<JobContext>(), open, told });
    const stopped = await jobs.enqueue(task(Limited, 'zombie'), key);
    await Promise.all([left.result().catch(() => {}), stopped.result()]);
    open.reach();
    await told.reached;
    await close();
    expect(logger.text()).toMatch(
      new RegExp(`left running is not waited for and ends with the process: ${left.id}$`, 'm'),
    );
  });
});
