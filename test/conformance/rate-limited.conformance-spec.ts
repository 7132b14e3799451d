import { Controller, Get, Injectable } from '@nestjs/common';
import {
  InvalidArgumentError,
  InvalidJobsOptionsError,
  InvalidTaskError,
  RateLimited,
  RetryLater,
  Task,
  task,
  type JobContext,
  type JobHandle,
  type JobsModuleOptions,
  type JobsService,
} from 'nestjs-jobs';
import request from 'supertest';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { Bucket } from '../../libs/jobs/src/backend/limits.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { sized } from '../support/test-form.js';

interface Call {
  readonly tenant: string;
  readonly n?: number;
}

let done: string[] = [];

function call(_payload: Call, job: JobContext): string {
  done.push(job.id);
  return job.id;
}

@Injectable()
class Api {
  @Task({ name: 'api.even' })
  @RateLimited({ limit: '50/s', burst: 5 })
  even(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.crowd' })
  @RateLimited({ limit: '1000/s', burst: 100, name: 'crowd' })
  crowd(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.tenant' })
  @RateLimited({ limit: '1/h', burst: 2, key: ({ tenant }) => tenant })
  tenant(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.shared', queue: 'default' })
  @RateLimited({ limit: '4/h', name: 'shared' })
  shared(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.dear', queue: 'other' })
  @RateLimited({ limit: '4/h', name: 'shared', cost: ({ n }) => n ?? 1 })
  dear(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.refused', retry: { attempts: 3 } })
  @RateLimited({ limit: '100/s', key: ({ tenant }) => tenant })
  refused(payload: Call, job: JobContext): string {
    if (payload.n === 429 && job.attempt === 1) throw new RetryLater('1h', { pauseKey: true });
    return call(payload, job);
  }

  @Task({ name: 'api.plain', queue: 'limited' })
  plain(payload: Call, job: JobContext): string {
    return call(payload, job);
  }

  @Task({ name: 'api.windows' })
  @RateLimited({ limit: '3/h', algorithm: 'fixed-window' })
  @RateLimited({ limit: '2/h', algorithm: 'sliding-window', key: ({ tenant }) => tenant, name: 'windows-of-tenants' })
  windows(payload: Call, job: JobContext): string {
    return call(payload, job);
  }
}

@Controller('api')
class ApiController {
  @Get()
  @RateLimited({ limit: '2/h', key: (_body, { headers }) => headers['x-user'] })
  get(): string {
    return 'here it is';
  }
}

const tenant = task(Api, 'tenant');
const QUEUES = { default: {}, other: {}, limited: { rateLimit: { limit: '2/h', burst: 2 } } };

describe.each(backends)('@RateLimited on $name', (backend) => {
  let running: JobsApp | undefined;
  let jobs: JobsService;

  beforeEach(() => {
    done = [];
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });

  async function start(options: JobsModuleOptions = {}): Promise<void> {
    const all = { queues: QUEUES, connectTimeout: '10s', ...options };
    running = await startJobsApp({ backend, providers: [Api], controllers: [ApiController], options: all });
    ({ jobs } = running);
  }

  /** When the store let whom through, in ms of its clock. */
  function watchGrants(): number[] {
    const { limits } = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    const grants: number[] = [];
    const take = limits.take.bind(limits);
    limits.take = async (...args) => {
      const taken = await take(...args);
      if (taken.kind === 'granted') grants.push(taken.at);
      return taken;
    };
    return grants;
  }

  const parked = (job: JobHandle<unknown>): Promise<unknown> =>
    eventually(async () => expect(await job.status()).toMatchObject({ waitingFor: { kind: 'limit' } }));

  it.each([1, 8, 32])(
    '[L1] [L3] never more than burst and rate, and all run, at concurrency %i',
    async (concurrency) => {
      await start({ queues: { ...QUEUES, default: { concurrency } } });
      const grants = watchGrants();
      const handles = await jobs.enqueueMany(
        Array.from({ length: 60 }, () => ({ task: task(Api, 'even'), payload: { tenant: 'a' } })),
      );
      await Promise.all(handles.map((job) => job.result({ timeout: '1m' })));
      expect(new Set(done).size).toBe(60);
      expect(done).toHaveLength(60);
      grants.sort((a, b) => a - b);
      expect(grants).toHaveLength(60);
      for (let from = 0; from < grants.length; from++) {
        for (let to = from; to < grants.length; to++) {
          expect(to - from + 1).toBeLessThanOrEqual(5 + ((grants[to]! - grants[from]!) * 50) / 1_000 + 1e-6);
        }
      }
      // Each its whole share of the time: 55 that had to wait, 50 in a second.
      expect(grants.at(-1)! - grants[0]!).toBeGreaterThanOrEqual((55 * 1_000) / 50 - 1e-6);
    },
  );

  const crowd = sized(5_000, backend.name === 'redis' ? 2_000 : 800);
  it(`[L1] of ${crowd} jobs behind one limit each is delayed once, seldom more often, never more than 3 times`, async () => {
    await start({ queues: { ...QUEUES, default: { concurrency: 100 } } });
    // Less than a busy machine does, or nobody would have to wait.
    const rate = backend.name === 'redis' ? 400 : 50;
    await jobs.limits.set('crowd', { limit: `${rate}/s`, burst: 100 });
    const handles: JobHandle<string>[] = [];
    for (let n = 0; n < crowd; n += 200) {
      const payloads = Array.from({ length: 200 }, () => ({ task: task(Api, 'crowd'), payload: { tenant: 'a' } }));
      handles.push(...(await jobs.enqueueMany(payloads)));
    }
    await eventually(() => done.length === crowd, { timeout: 120_000, interval: 250 });
    expect(new Set(done).size).toBe(crowd);
    const delays: number[] = [];
    for (let n = 0; n < handles.length; n += 500) {
      const some = handles.slice(n, n + 500).map(({ id }) => jobs.queue('default').getJob(id));
      // Fetched once more than delayed.
      delays.push(...(await Promise.all(some)).map((job) => job!.attemptsStarted - 1));
    }
    expect(Math.max(...delays)).toBeLessThanOrEqual(3);
    expect(delays.filter((count) => count <= 1).length).toBeGreaterThan(crowd * 0.9);
    expect(delays.filter((count) => count === 1).length).toBeGreaterThan(crowd / 25);
  }, 180_000);

  it('[L1] one that waits takes no slot, says for what, and spends no attempt', async () => {
    await start({ queues: { ...QUEUES, default: { concurrency: 1 } } });
    const handles = await jobs.enqueueMany(
      Array.from({ length: 3 }, () => ({ task: tenant, payload: { tenant: 'acme' } })),
    );
    await eventually(() => done.length === 2);
    const late = handles.find(({ id }) => !done.includes(id))!;
    await parked(late);
    expect(await late.status()).toMatchObject({
      state: 'pending',
      attempt: 0,
      waitingFor: { kind: 'limit', key: 'api.tenant acme', until: expect.any(String) },
    });
    // The limit is given an hour; half of that is waited for at least.
    const { waitingFor } = await late.status();
    expect(Date.parse(waitingFor!.until!)).toBeGreaterThan(Date.now() + 30 * 60_000);
    const other = await jobs.enqueue(task(Api, 'even'), { tenant: 'acme' });
    expect(await other.result()).toBe(other.id);
    expect((await late.status()).state).toBe('pending');
  });

  it('[L4] a tenant that uses up its part holds up nobody else', async () => {
    await start();
    const flood = Array.from({ length: 50 }, () => ({ task: tenant, payload: { tenant: 'loud' } }));
    await jobs.enqueueMany(flood);
    const quiet = await jobs.enqueue(tenant, { tenant: 'quiet' });
    expect(await quiet.result()).toBe(quiet.id);
    await eventually(async () => expect((await jobs.queue('default').getJobCounts('delayed'))['delayed']).toBe(48));
    expect(done).toHaveLength(3);
  });

  it('[L1] a name is one limit for all tasks, queues and code that use it, each at its cost', async () => {
    await start();
    await (await jobs.enqueue(task(Api, 'shared'), { tenant: 'a' })).result();
    await (await jobs.enqueue(task(Api, 'dear'), { tenant: 'a', n: 2 })).result();
    await parked(await jobs.enqueue(task(Api, 'dear'), { tenant: 'a', n: 2 }));
    const reached = jobs.limits.consume({ name: 'shared', maxWait: '1s' });
    await expect(reached).rejects.toThrow(/the rate limit "shared" is used up/);
    expect(done).toHaveLength(2);
  });

  it('[L2] is known from boot, changed for the fleet at once, and the change outlives a restart', async () => {
    const namespace = uniqueNamespace();
    await start({ namespace });
    const declared = { name: 'api.tenant', limit: '1/h', burst: 2, isOverridden: false, factor: 1 };
    expect(await jobs.limits.get('api.tenant')).toMatchObject(declared);
    expect((await jobs.limits.list()).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['ApiController.get', 'crowd', 'queue:limited', 'shared', 'windows-of-tenants']),
    );
    await jobs.limits.set('api.tenant', { limit: '1/h', burst: 3 });
    // What embedded databases in memory hold ends with their process.
    if (backend.name !== 'embedded') {
      await running!.close();
      await start({ namespace });
    }
    expect(await jobs.limits.get('api.tenant')).toMatchObject({ burst: 3, isOverridden: true });
    const handles = await jobs.enqueueMany(
      Array.from({ length: 4 }, () => ({ task: tenant, payload: { tenant: 'acme' } })),
    );
    await eventually(() => done.length === 3);
    await parked(handles.find(({ id }) => !done.includes(id))!);
  });

  it('[L4] a task that was refused pauses its key for all, and no other', async () => {
    await start();
    const refused = task(Api, 'refused');
    const first = await jobs.enqueue(refused, { tenant: 'a', n: 429 });
    await eventually(async () => expect(await first.status()).toMatchObject({ state: 'retrying', attempt: 1 }));
    const second = await jobs.enqueue(refused, { tenant: 'a' });
    await parked(second);
    const { waitingFor } = await second.status();
    expect(Date.parse(waitingFor!.until!)).toBeGreaterThan(Date.now() + 30 * 60_000);
    const other = await jobs.enqueue(refused, { tenant: 'b' });
    expect(await other.result()).toBe(other.id);
    expect(done).toEqual([other.id]);
  });

  it('[L1] one that is cancelled while it waits gives its time back', async () => {
    await start();
    await jobs.enqueueMany(Array.from({ length: 2 }, () => ({ task: tenant, payload: { tenant: 'acme' } })));
    await eventually(() => done.length === 2);
    const third = await jobs.enqueue(tenant, { tenant: 'acme' });
    await parked(third);
    const until = async (job: JobHandle<unknown>): Promise<number> =>
      Date.parse((await job.status()).waitingFor!.until!);
    const first = await until(third);
    expect(await third.cancel()).toBe(true);
    await eventually(async () => expect(await third.status()).toMatchObject({ state: 'cancelled' }));
    // A worker has to have seen it.
    await eventually(async () => expect(await jobs.queue('default').getJobCounts('failed')).toEqual({ failed: 1 }));
    const fourth = await jobs.enqueue(tenant, { tenant: 'acme' });
    await parked(fourth);
    // An hour later it would be if the time of the third were kept.
    expect(await until(fourth)).toBeLessThan(first + 30 * 60_000);
  });

  it('[L1] a queue may have a limit for all its tasks', async () => {
    await start();
    const handles = await jobs.enqueueMany(
      Array.from({ length: 3 }, () => ({ task: task(Api, 'plain'), payload: { tenant: 'a' } })),
    );
    await eventually(() => done.length === 2);
    await eventually(async () => {
      const statuses = await Promise.all(handles.map((job) => job.status()));
      expect(statuses.filter(({ waitingFor }) => waitingFor?.key === 'queue:limited')).toHaveLength(1);
    });
    await jobs.limits.set('queue:limited', '100/s');
    expect(await jobs.limits.get('queue:limited')).toMatchObject({ limit: '100/s', isOverridden: true });
  });

  it('[L1] several limits of a method all count, and each only once', async () => {
    await start();
    const windows = task(Api, 'windows');
    const run = (name: string): Promise<JobHandle<string>> => jobs.enqueue(windows, { tenant: name });
    await (await run('a')).result();
    await (await run('a')).result();
    // Waits for its tenant's limit, and has been let through by the one for all.
    const third = await run('a');
    await parked(third);
    expect(await third.status()).toMatchObject({ waitingFor: { key: 'windows-of-tenants a' } });
    const fourth = await run('b');
    await parked(fourth);
    expect(await fourth.status()).toMatchObject({ waitingFor: { key: 'api.windows' } });
    const [job] = [await jobs.queue('default').getJob(third.id)];
    expect((job!.progress as { passed: string[] }).passed).toEqual([
      JSON.stringify({ name: 'api.windows', key: '' } satisfies Bucket),
    ]);
  });

  it('[L4] answers HTTP requests 429, with Retry-After, for each key by itself', async () => {
    await start();
    const server = running!.app.getHttpServer() as never;
    const get = (user: string): request.Test => request(server).get('/api').set('x-user', user);
    const answers = [await get('a'), await get('a'), await get('a'), await get('b')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 200]);
    expect(Number(answers[2]!.headers['retry-after'])).toBeGreaterThan(1_000);
    expect((await request(server).get('/api')).status).toBe(400);
  });
});

describe('@RateLimited', () => {
  it('[L1] refuses options that are none, naming the method', () => {
    const decorate = (options: object) => () => {
      class Wrong {
        work(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'work')!;
      RateLimited(options as { limit: string })(Wrong.prototype, 'work', descriptor);
    };
    expect(decorate({})).toThrow(InvalidArgumentError);
    expect(decorate({})).toThrow(/the limit of @RateLimited on Wrong.work must be a number from 1/);
    expect(decorate({ limit: '5/s', cost: 6 })).toThrow(/the cost of @RateLimited on Wrong.work must be .* 1 to 5/);
    expect(decorate({ limit: '5/s', kye: 'x' })).toThrow(/only, but is "kye"/);
    expect(decorate({ limit: '5/s', key: 7 })).toThrow(/the key of @RateLimited on Wrong.work must be text or a/);
  });

  it('[L1] has an app not boot with two rules for one name, or a queue with none', async () => {
    @Injectable()
    class Two {
      @Task()
      @RateLimited({ limit: '5/s', name: 'both' })
      one(): void {}

      @Task()
      @RateLimited({ limit: '6/s', name: 'both' })
      other(): void {}
    }
    const boot = startJobsApp({ backend: backends[0]!, providers: [Two] });
    await expect(boot).rejects.toThrow(InvalidTaskError);
    await expect(boot).rejects.toThrow(/Two.other .* declares the limit "both" otherwise than it is, 5\/s by Two.one/);
    const wrong = startJobsApp({ backend: backends[0]!, options: { queues: { bulk: { rateLimit: 'fast' } } } });
    await expect(wrong).rejects.toThrow(InvalidJobsOptionsError);
    await expect(wrong).rejects.toThrow(/"queues.bulk.rateLimit" must be a limit like '100\/m'/);
  });
});
