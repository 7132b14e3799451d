import { jest } from '@jest/globals';
import { Controller, ForbiddenException, Get, Injectable, type ExecutionContext } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import {
  InvalidArgumentError,
  InvalidTaskError,
  JobCancelledError,
  JobFailedError,
  Locked,
  LockLostError,
  Task,
  task,
  type JobContext,
  type JobHandle,
  type JobsModuleOptions,
  type JobsService,
} from 'nestjs-jobs';
import request from 'supertest';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import type { ProgressRecord } from '../../libs/jobs/src/client/envelope.js';
import { RunningJobs } from '../../libs/jobs/src/execution/running-jobs.js';
import { TaskRegistry } from '../../libs/jobs/src/task/task.registry.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

interface Work {
  readonly account: string;
  /** What it does inside; it is done at once otherwise. */
  readonly does?: 'stays' | 'fails once' | 'snoozes once';
}

const inside = { now: 0, most: 0 };
let entered: string[] = [];
let tokens: number[] = [];
let open = signal();
let isIn = signal<JobContext>();

async function doWork({ does }: Work, job: JobContext): Promise<string> {
  entered.push(job.id);
  tokens.push(job.lock!.fencingToken);
  inside.most = Math.max(inside.most, ++inside.now);
  try {
    isIn.reach(job);
    if (does === 'stays') await open.reached;
    else await new Promise(setImmediate);
    if (does === 'fails once' && job.attempt === 1) throw new RangeError('once');
    return `done by ${job.id}`;
  } finally {
    inside.now--;
  }
}

@Injectable()
class Accounts {
  @Task({ name: 'accounts.wait', retry: { delay: 1, jitter: 'none' } })
  @Locked({ key: ({ account }) => `account/${account}`, ttl: '20s' })
  wait(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.short' })
  @Locked({ key: ({ account }) => `account/${account}`, ttl: '800ms' })
  short(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.pair' })
  @Locked({ key: ({ account }) => `pair/${account}`, limit: 2 })
  pair(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.skip' })
  @Locked({ key: ({ account }) => `account/${account}`, onBusy: 'skip' })
  skip(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.fail', retry: { attempts: 1 } })
  @Locked({ key: ({ account }) => `account/${account}`, onBusy: 'fail' })
  fail(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.patient', retry: { attempts: 1 } })
  @Locked({ key: ({ account }) => `account/${account}`, maxWait: '300ms' })
  patient(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.by-header' })
  @Locked({ key: (_payload, { headers }) => headers['account'] })
  byHeader(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }

  @Task({ name: 'accounts.stuck', timeLimit: { soft: false, hard: '200ms' }, retry: { attempts: 1 } })
  @Locked({ key: ({ account }) => `account/${account}`, ttl: '1s' })
  stuck(payload: Work, job: JobContext): Promise<string> {
    return doWork(payload, job);
  }
}

@Controller('accounts')
class AccountsController {
  @Get('one')
  @Locked({ key: (_body, { headers }) => headers['x-account'] })
  async one(): Promise<{ most: number }> {
    inside.most = Math.max(inside.most, ++inside.now);
    await new Promise(setImmediate);
    inside.now--;
    return { most: inside.most };
  }

  @Get('odd')
  @Locked({
    key: (_body, { headers }) => {
      if (headers['x-account'] === 'own') throw new ForbiddenException('not yours');
      return (undefined as unknown as { key: string }).key;
    },
  })
  odd(): void {}

  @Get('busy')
  @Locked({ key: 'account/http', onBusy: 'fail' })
  busy(): string {
    return 'free';
  }
}

const wait = task(Accounts, 'wait');

describe.each(backends)('@Locked on $name', (backend) => {
  let running: JobsApp | undefined;
  let jobs: JobsService;

  beforeEach(() => {
    Object.assign(inside, { now: 0, most: 0 });
    [entered, tokens, open, isIn] = [[], [], signal(), signal<JobContext>()];
  });
  afterEach(async () => {
    open.reach();
    await running?.close();
    running = undefined;
  });

  async function start(options: JobsModuleOptions = {}, providers: object[] = []): Promise<void> {
    const all = {
      backend,
      providers: [Accounts, ...(providers as [])],
      controllers: [AccountsController],
      options: { connectTimeout: '10s', ...options },
    };
    running = await startJobsApp(all);
    ({ jobs } = running);
  }

  const parked = (job: JobHandle<unknown>): Promise<unknown> =>
    eventually(async () => expect(await job.status()).toMatchObject({ waitingFor: { kind: 'lock' } }));

  /** A job that has the lock of `a` until `open` is reached. */
  async function held(ref = wait): Promise<{ first: JobHandle<string>; job: JobContext }> {
    const first = await jobs.enqueue(ref, { account: 'a', does: 'stays' }, { id: 'first' });
    return { first, job: await isIn.reached };
  }

  it.each([1, 8, 32])('[I3] one at a time for each key, none lost, at concurrency %i', async (concurrency) => {
    await start({ queues: { default: { concurrency } } });
    const handles = await jobs.enqueueMany(
      Array.from({ length: 60 }, (_, n) => ({ task: wait, payload: { account: `key ${n % 3}` } })),
    );
    await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
    expect(new Set(entered).size).toBe(60);
    expect(entered).toHaveLength(60);
    expect(inside.most).toBeLessThanOrEqual(Math.min(3, concurrency));
    for (const n of [0, 1, 2]) {
      const ids = handles.filter((_handle, k) => k % 3 === n).map(({ id }) => id);
      const own = tokens.filter((_token, k) => ids.includes(entered[k]!));
      expect(own).toEqual([...new Set(own)].sort((a, b) => a - b));
    }
  });

  it('[I3] a waiter takes no slot, says what it waits for, spends no attempt and is woken in turn', async () => {
    await start({ queues: { default: { concurrency: 2 } } });
    await held();
    const waiters: JobHandle<string>[] = [];
    for (const id of ['b', 'c', 'd']) {
      waiters.push(await jobs.enqueue(wait, { account: 'a' }, { id }));
      await parked(waiters.at(-1)!);
    }
    const other = await jobs.enqueue(wait, { account: 'other' });
    expect(await other.result()).toBe(`done by ${other.id}`);
    expect(await waiters[0]!.status()).toMatchObject({
      state: 'pending',
      attempt: 0,
      waitingFor: { kind: 'lock', key: 'account/a', until: expect.any(String) },
    });
    open.reach();
    for (const job of waiters) expect(await job.result()).toBe(`done by ${job.id}`);
    expect(entered.filter((id) => id !== other.id)).toEqual(['first', 'b', 'c', 'd'].map((id) => `default_${id}`));
    const done = await waiters[2]!.status();
    expect(done).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
    expect(done).not.toHaveProperty('waitingFor');
    for (const { id } of waiters) expect((await jobs.queue('default').getJob(id))!.attemptsStarted).toBe(2);
  });

  it('[I3] as many at once as the limit says', async () => {
    await start({ queues: { default: { concurrency: 10 } } });
    const stays = { account: 'a', does: 'stays' as const };
    const handles = await jobs.enqueueMany(
      Array.from({ length: 12 }, () => ({ task: task(Accounts, 'pair'), payload: stays })),
    );
    await eventually(() => inside.now === 2);
    open.reach();
    await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
    expect(inside.most).toBe(2);
  });

  it('[I3] shares its locks with jobs.locks.withLock', async () => {
    await start();
    await held();
    const locked = jobs.locks.withLock('account/a', {}, ({ fencingToken }) => fencingToken);
    open.reach();
    expect(await locked).toBeGreaterThan(tokens[0]!);
  });

  it('[I3] does with a job that finds it held what onBusy says', async () => {
    await start();
    await held();
    const skipped = await jobs.enqueue(task(Accounts, 'skip'), { account: 'a' });
    expect(await skipped.result()).toBeNull();
    expect(await skipped.status()).toMatchObject({ state: 'succeeded', reason: 'the lock "account/a" is held' });
    const failed = await jobs.enqueue(task(Accounts, 'fail'), { account: 'a' });
    await expect(failed.result()).rejects.toThrow(JobFailedError);
    expect(await failed.status()).toMatchObject({ state: 'failed', error: { name: 'LockBusyError' } });
    const patient = await jobs.enqueue(task(Accounts, 'patient'), { account: 'a' });
    await expect(patient.result()).rejects.toThrow(JobFailedError);
    expect(await patient.status()).toMatchObject({ error: { name: 'LockBusyError' }, attempt: 1 });
    open.reach();
    const last = await jobs.enqueue(task(Accounts, 'fail'), { account: 'free' });
    expect(await last.result()).toBe(`done by ${last.id}`);
    expect(entered).toEqual(['default_first', last.id]);
  });

  it('[I3] a waiter keeps its turn when a worker that has not its task looks at it', async () => {
    await start();
    await held();
    const waiter = await jobs.enqueue(wait, { account: 'a' });
    await parked(waiter);
    const queue = jobs.queue('default');
    const waitsOf = async () => ((await queue.getJob(waiter.id))!.progress as ProgressRecord).waits!;
    const { line } = await waitsOf();
    // As during a deploy.
    const registry = running!.app.get(TaskRegistry, { strict: false });
    const find = registry.find.bind(registry);
    registry.find = (name) => (name === 'accounts.wait' ? undefined : find(name));
    await running!.app.get<QueueBackend>(QUEUE_BACKEND).wake(queue, [waiter.id]);
    await eventually(async () => expect(await waiter.status()).toMatchObject({ waitingFor: { kind: 'unknown-task' } }));
    expect(line!.turn).toBeGreaterThan(0);
    expect((await waitsOf()).line).toEqual(line);
    registry.find = find;
    open.reach();
    expect(await waiter.result({ timeout: '20s' })).toBe(`done by ${waiter.id}`);
    expect(await waiter.status()).toMatchObject({ attempt: 1 });
  });

  it('[I3] a waiter that is cancelled leaves the line', async () => {
    await start();
    await held();
    const waiter = await jobs.enqueue(wait, { account: 'a' });
    await parked(waiter);
    const last = await jobs.enqueue(wait, { account: 'a' });
    await parked(last);
    expect(await waiter.cancel()).toBe(true);
    await expect(waiter.result()).rejects.toThrow(JobCancelledError);
    open.reach();
    expect(await last.result()).toBe(`done by ${last.id}`);
    expect(entered).toEqual(['default_first', last.id]);
  });

  it('[I3] a job that is cancelled while it asks for its lock is not run', async () => {
    await start();
    const { lines } = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    const take = lines.take.bind(lines);
    lines.take = async (line, id, options) => {
      if (id === 'default_first') {
        await jobs.job(id).cancel();
        await eventually(() => running!.app.get(RunningJobs, { strict: false }).get(id)!.cancelled !== undefined);
      }
      return take(line, id, options);
    };
    const first = await jobs.enqueue(wait, { account: 'a' }, { id: 'first' });
    await expect(first.result()).rejects.toThrow(JobCancelledError);
    expect(await first.status()).toMatchObject({ state: 'cancelled', attempt: 0 });
    const second = await jobs.enqueue(wait, { account: 'a' });
    expect(await second.result()).toBe(`done by ${second.id}`);
    expect(entered).toEqual([second.id]);
  });

  it('[I3] [C3] an attempt that is over while it asks for its lock does not begin, and the next one does', async () => {
    await start();
    const { lines } = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    const take = lines.take.bind(lines);
    let asked = 0;
    lines.take = async (line, id, options) => {
      if (asked++ === 0) running!.app.get(RunningJobs, { strict: false }).get(id)!.cutOff(new RangeError('over'));
      return take(line, id, options);
    };
    const job = await jobs.enqueue(wait, { account: 'a' });
    expect(await job.result()).toBe(`done by ${job.id}`);
    expect(await job.status()).toMatchObject({ attempt: 2, attempts: [{ error: { name: 'AttemptEndedError' } }, {}] });
    expect(entered).toEqual([job.id]);
  });

  it('[I3] a lock is given up, and the next one woken, although the store did not answer the first time', async () => {
    await start();
    await held();
    const waiter = await jobs.enqueue(wait, { account: 'a' });
    await parked(waiter);
    const store = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    const [free, wake] = [store.lines.free.bind(store.lines), store.wake.bind(store)];
    const failures: string[] = [];
    const failOnce = async <Answer>(what: string, answer: Promise<Answer>): Promise<Answer> => {
      const answered = await answer;
      if (failures.includes(what)) return answered;
      failures.push(what);
      throw new Error('the answer is lost');
    };
    store.lines.free = (...args) => failOnce('free', free(...args));
    store.wake = async (...args) => {
      if (failures.includes('wake')) return wake(...args);
      failures.push('wake');
      throw new Error('it was not sent');
    };
    open.reach();
    expect(await waiter.result({ timeout: '15s' })).toBe(`done by ${waiter.id}`);
    expect(failures).toEqual(['free', 'wake']);
  });

  it('[I3] a failure gives the lock up, and the next attempt waits anew', async () => {
    await start();
    await held();
    const failing = await jobs.enqueue(wait, { account: 'a', does: 'fails once' });
    await parked(failing);
    const other = await jobs.enqueue(wait, { account: 'a' });
    await parked(other);
    open.reach();
    expect(await failing.result()).toBe(`done by ${failing.id}`);
    expect(await other.result()).toBe(`done by ${other.id}`);
    expect(await failing.status()).toMatchObject({ attempt: 2, attempts: [{ error: { message: 'once' } }, {}] });
  });

  it('[I3] is held for as long as the work takes, many times its ttl', async () => {
    await start();
    const { job } = await held(task(Accounts, 'short'));
    const second = await jobs.enqueue(task(Accounts, 'short'), { account: 'a' });
    await parked(second);
    // Three renewals are a ttl.
    const { lines } = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    const renew = jest.spyOn(lines, 'renew');
    await eventually(() => renew.mock.calls.length > 9, { timeout: 30_000 });
    renew.mockRestore();
    expect(entered).toEqual(['default_first']);
    expect(job.signal.aborted).toBe(false);
    open.reach();
    await second.result();
    expect(inside.most).toBe(1);
  });

  it('[I3] a lost lock aborts the signal, and the next holder has a larger token', async () => {
    await start();
    const { first, job } = await held(task(Accounts, 'short'));
    const { lines } = running!.app.get<QueueBackend>(QUEUE_BACKEND);
    // What the store does with a place that is not renewed in time.
    await lines.free({ name: 'lock:account/a', places: 1, patience: 1_000 }, job.id, tokens[0]!);
    await eventually(() => job.signal.aborted);
    expect(job.signal.reason).toBeInstanceOf(LockLostError);
    const next = await jobs.locks.withLock('account/a', {}, ({ fencingToken }) => fencingToken);
    expect(next).toBeGreaterThan(tokens[0]!);
    open.reach();
    expect(await first.result()).toBe('done by default_first');
  });

  it('[I3] [C3] code that its hard limit left running has the lock for no longer than its ttl', async () => {
    await start();
    const stuck = await jobs.enqueue(task(Accounts, 'stuck'), { account: 'a', does: 'stays' });
    await expect(stuck.result()).rejects.toThrow(JobFailedError);
    const next = await jobs.enqueue(wait, { account: 'a' });
    expect(await next.result({ timeout: '20s' })).toBe(`done by ${next.id}`);
    expect(inside.now).toBe(1);
  });

  it('[I3] a key may come from the headers, and one that is none fails the job at once', async () => {
    await start();
    const byHeader = task(Accounts, 'byHeader');
    const good = await jobs.enqueue(byHeader, { account: 'a' }, { headers: { account: 'x' } });
    expect(await good.result()).toBe(`done by ${good.id}`);
    const bad = await jobs.enqueue(byHeader, { account: 'a' });
    await expect(bad.result()).rejects.toThrow(JobFailedError);
    expect(await bad.status()).toMatchObject({ attempt: 1, error: { name: 'InvalidKeyError' } });
    expect(entered).toEqual([good.id]);
  });

  it('[I3] global interceptors see a job when it runs, and not when it only waits', async () => {
    const seen: string[] = [];
    class Watch {
      intercept(context: ExecutionContext, next: { handle: () => unknown }): unknown {
        seen.push(context.switchToRpc().getContext<JobContext>().id);
        return next.handle();
      }
    }
    await start({}, [{ provide: APP_INTERCEPTOR, useClass: Watch }]);
    await held();
    const waiter = await jobs.enqueue(wait, { account: 'a' }, { id: 'second' });
    await parked(waiter);
    expect(seen).toEqual(['default_first']);
    open.reach();
    await waiter.result();
    expect(seen).toEqual(['default_first', 'default_second']);
  });

  it('[I3] works on HTTP handlers: one at a time for each key, 409 for who does not wait, 400 without a key', async () => {
    await start();
    const server = running!.app.getHttpServer() as never;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => request(server).get('/accounts/one').set('x-account', 'a')),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(inside.most).toBe(1);
    expect((await request(server).get('/accounts/one')).status).toBe(400);
    expect((await request(server).get('/accounts/odd')).status).toBe(400);
    expect((await request(server).get('/accounts/odd').set('x-account', 'own')).body).toMatchObject({
      statusCode: 403,
      message: 'not yours',
    });
    const [entering, leaving] = [signal(), signal()];
    const locked = jobs.locks.withLock('account/http', {}, () => {
      entering.reach();
      return leaving.reached;
    });
    await entering.reached;
    const busy = await request(server).get('/accounts/busy');
    expect([busy.status, JSON.stringify(busy.body).includes('account/http')]).toEqual([409, false]);
    leaving.reach();
    await locked;
    expect((await request(server).get('/accounts/busy')).text).toBe('free');
  });
});

describe('@Locked', () => {
  it('[I3] refuses options that are none, naming the method', () => {
    const decorate = (options: object) => () => {
      class Wrong {
        work(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'work')!;
      Locked(options as { key: string })(Wrong.prototype, 'work', descriptor);
    };
    expect(decorate({})).toThrow(InvalidArgumentError);
    expect(decorate({})).toThrow(/the key of @Locked on Wrong.work must be text or a function of the payload/);
    expect(decorate({ key: '' })).toThrow(/the key of @Locked on Wrong.work must be text of 1 to 500/);
    expect(decorate({ key: 'k', ttl: '1ms' })).toThrow(/the ttl of @Locked on Wrong.work must be from 100 ms/);
    expect(decorate({ key: 'k', onBusy: 'run' })).toThrow(/onBusy of @Locked on Wrong.work must be 'wait', 'skip' or/);
    expect(decorate({ key: 'k', tll: 1 })).toThrow(/must be of key, ttl, limit, onBusy, maxWait only, but is "tll"/);
  });

  it('[I3] has an app not boot where nobody would call it, and names what to use', async () => {
    @Injectable()
    class Plain {
      @Locked({ key: 'key' })
      work(): void {}
    }
    const namespace = uniqueNamespace();
    const boot = startJobsApp({ backend: backends[0]!, providers: [Plain], options: { namespace } });
    await expect(boot).rejects.toThrow(InvalidTaskError);
    await expect(boot).rejects.toThrow(/Plain.work has @Locked, and is neither a task nor an HTTP handler.*withLock/);
  });
});
