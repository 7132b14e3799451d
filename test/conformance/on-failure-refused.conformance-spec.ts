import { Injectable, type INestApplication } from '@nestjs/common';
import { Redis } from 'ioredis';
import { OnFailure, Snooze, Task, task, type JobFailure, type JobHandle, type JobsModuleOptions } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { SqlPool } from '../../libs/jobs/src/backend/sql/sql-pool.js';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { startRedis } from '../support/services/redis.mjs';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Failing {
  static gate: { entered: Signal; open: Signal };
  static runs = 0;

  @Task({ name: 'refused.fails', retry: { attempts: 1 } })
  async fails(): Promise<never> {
    Failing.runs++;
    Failing.gate.entered.reach();
    await Failing.gate.open.reached;
    throw new Error('as it ended');
  }

  @Task({ name: 'refused.snoozes', retry: { attempts: 1 } })
  async snoozes(): Promise<string> {
    if (Failing.runs++ > 0) return 'slept well';
    Failing.gate.entered.reach();
    await Failing.gate.open.reached;
    throw new Snooze('1ms');
  }
}

@Injectable()
class Handler {
  static failures: JobFailure[] = [];

  @OnFailure({}, { name: 'handle', queue: 'handlers' })
  handle(failure: JobFailure): void {
    Handler.failures.push(failure);
  }
}

/** A store that answers, and takes no jobs of handlers for a while. */
interface FullStore {
  readonly backend: TestBackend;
  refuse(app: INestApplication): Promise<unknown>;
  accept(app: INestApplication): Promise<unknown>;
  stop(): Promise<void>;
}

async function fullRedis(): Promise<FullStore> {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  return {
    backend: { name: 'redis', connection: () => redis.url },
    refuse: () => admin.config('SET', 'maxmemory', 1),
    accept: () => admin.config('SET', 'maxmemory', 0),
    async stop() {
      admin.disconnect();
      await redis.stop();
    },
  };
}

function fullTable(backend: TestBackend): FullStore {
  const poolOf = (app: INestApplication): SqlPool => (app.get(QUEUE_BACKEND) as unknown as { pool: SqlPool }).pool;
  const refusal = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no room'; END$$`;
  const ofJobs = `CREATE TRIGGER jobs BEFORE INSERT ON job FOR EACH ROW WHEN (NEW.queue = 'handlers') EXECUTE FUNCTION refuse()`;
  const ofProgress = `CREATE TRIGGER progress BEFORE UPDATE OF progress ON job FOR EACH ROW EXECUTE FUNCTION refuse()`;
  return {
    backend,
    async refuse(app) {
      await poolOf(app).query(refusal);
      await poolOf(app).query(ofJobs);
      await poolOf(app).query(ofProgress);
    },
    accept: (app) => poolOf(app).query('DROP FUNCTION refuse CASCADE'),
    stop: () => Promise.resolve(),
  };
}

describe.each(backends)('a store that refuses the jobs of failure handlers, on $name', (backend) => {
  let store: FullStore;
  let logger: MemoryLogger;
  beforeEach(async () => {
    store = backend.name === 'redis' ? await fullRedis() : fullTable(backend);
    logger = new MemoryLogger();
    Handler.failures = [];
    Failing.runs = 0;
    Failing.gate = { entered: signal(), open: signal() };
  });
  afterEach(() => store.stop());

  function start(options: JobsModuleOptions = {}): Promise<JobsApp> {
    return startJobsApp({
      backend: store.backend,
      providers: [Failing, Handler],
      options: { queues: { default: {}, handlers: {} }, ...options },
      logger,
    });
  }

  /** Of a job that has failed or wants to sleep, and of which the store refuses what it has to know. */
  async function refused({ app, jobs }: JobsApp, method: 'fails' | 'snoozes' = 'fails'): Promise<JobHandle> {
    const job = await jobs.enqueue(task(Failing, method));
    await Failing.gate.entered.reached;
    await store.refuse(app);
    Failing.gate.open.reach();
    await eventually(() => expect(logger.text()).toContain(`refuses what it has to be told of job ${job.id}`));
    return job;
  }

  async function handled({ jobs }: JobsApp, { id }: JobHandle): Promise<void> {
    await eventually(async () => {
      const { [`handlers_failure-${id}-handle`]: status } = await jobs.statuses([`handlers_failure-${id}-handle`]);
      expect(status).toMatchObject({ state: 'succeeded', attempt: 1 });
    });
    expect(Handler.failures).toMatchObject([{ id, error: { message: 'as it ended' } }]);
  }

  it('[R6] is asked again, and the job has not ended before it takes them', async () => {
    const started = await start();
    const job = await refused(started);
    expect(await job.status()).toMatchObject({ state: 'running' });
    await store.accept(started.app);
    await expect(job.result()).rejects.toThrow('as it ended');
    await handled(started, job);
    expect(Failing.runs).toBe(1);
    await started.close();
  });

  it('[R6] has a snooze told again, and does not make a failure of it', async () => {
    const started = await start();
    const job = await refused(started, 'snoozes');
    expect(await job.status()).toMatchObject({ state: 'running' });
    await store.accept(started.app);
    expect(await job.result()).toBe('slept well');
    expect(await job.status()).toMatchObject({ attempt: 1 });
    expect(Handler.failures).toEqual([]);
    await started.close();
  });

  // What is embedded in memory ends with its process.
  if (backend.name === 'embedded') return;

  it('[R6] is not asked again by a process that shuts down: another one has the job', async () => {
    const namespace = uniqueNamespace();
    const first = await start({ namespace, shutdown: { grace: '1ms' } });
    const job = await refused(first);
    const closing = first.close();
    // Given back while the store still refuses.
    await eventually(() => expect(logger.text()).toContain('given back to run elsewhere'));
    await closing;
    const second = await start({ namespace, workers: false });
    await store.accept(second.app);
    const third = await start({ namespace });
    await expect(third.jobs.job(job.id).result()).rejects.toThrow('as it ended');
    await handled(third, job);
    expect(Failing.runs).toBe(2);
    await Promise.all([second.close(), third.close()]);
  });
});
