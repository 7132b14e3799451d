import { Body, Controller, HttpCode, Injectable, Post, Res, Sse } from '@nestjs/common';
import {
  Idempotent,
  IdempotencyClaimLostError,
  JobFailedError,
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
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

interface Charge {
  readonly order: string;
  readonly cents: number;
  readonly does?: 'stays' | 'fails once';
}

let effects: string[] = [];
let keys: string[] = [];
let open = signal();
let isIn = signal<JobContext>();

async function charge({ does, cents }: Charge, job: JobContext): Promise<{ b: string; a: number }> {
  keys.push(job.idempotencyKey);
  isIn.reach(job);
  if (does === 'stays') await open.reached;
  if (does === 'fails once' && job.attempt === 1) throw new RangeError('once');
  effects.push(job.id);
  return { b: `charged by ${job.id}`, a: cents };
}

const RETRY = { retry: { delay: 1, jitter: 'none' } } as const;

@Injectable()
class Payments {
  @Task({ name: 'payments.wait', ...RETRY })
  @Idempotent({ key: ({ order }) => order })
  wait(payload: Charge, job: JobContext): Promise<object> {
    return charge(payload, job);
  }

  @Task({ name: 'payments.short', ...RETRY })
  @Idempotent({ key: ({ order }) => order, ttl: '1s' })
  short(payload: Charge, job: JobContext): Promise<object> {
    return charge(payload, job);
  }

  @Task({ name: 'payments.skip' })
  @Idempotent({ key: ({ order }) => order, onBusy: 'skip' })
  skip(payload: Charge, job: JobContext): Promise<object> {
    return charge(payload, job);
  }

  @Task({ name: 'payments.fail', retry: { attempts: 1 } })
  @Idempotent({ key: ({ order }) => order, onBusy: 'fail' })
  fail(payload: Charge, job: JobContext): Promise<object> {
    return charge(payload, job);
  }

  @Task({ name: 'payments.nothing' })
  @Idempotent({ key: 'always the same' })
  nothing(): void {
    effects.push('nothing');
  }

  @Task({ name: 'payments.no-json', retry: { attempts: 1 } })
  @Idempotent({ key: 'always the same' })
  noJson(): Date {
    return new Date();
  }

  @Task({ name: 'payments.plain', retry: { attempts: 2, delay: 1, jitter: 'none' } })
  plain(_payload: { n: number }, job: JobContext): string {
    keys.push(job.idempotencyKey);
    if (keys.length < 5) throw new RangeError('not yet');
    return job.idempotencyKey;
  }
}

class Entity {
  readonly shown = 1;
}

@Controller('payments')
class PaymentsController {
  @Post()
  @HttpCode(202)
  @Idempotent({ key: (_body, { headers }) => headers['idempotency-key'], maxWait: '5s' })
  async pay(@Body() body: { cents: number; fails?: boolean; stays?: boolean }): Promise<object> {
    if (body.fails && effects.length === 0) {
      effects.push('failed');
      throw new RangeError('no');
    }
    if (body.stays) await open.reached;
    effects.push(`paid ${body.cents}`);
    return { paid: body.cents, n: effects.length };
  }

  @Post('entity')
  @Idempotent({ key: (_body, { headers }) => headers['idempotency-key'] })
  entity(): Entity {
    effects.push('entity');
    return new Entity();
  }

  @Post(':id/refund')
  @Idempotent({ key: (_body, { headers }) => headers['idempotency-key'] })
  refund(): string {
    effects.push('refund');
    return 'refunded';
  }

  @Post('status')
  @Idempotent({ key: (_body, { headers }) => headers['idempotency-key'], onBusy: 'fail' })
  status(@Res({ passthrough: true }) reply: { status(code: number): void }): string {
    reply.status(203);
    effects.push('status');
    return 'as it was';
  }
}

const wait = task(Payments, 'wait');

describe.each(backends)('@Idempotent on $name', (backend) => {
  let apps: JobsApp[] = [];
  let jobs: JobsService;

  beforeEach(() => {
    [effects, keys, open, isIn] = [[], [], signal(), signal<JobContext>()];
  });
  afterEach(async () => {
    open.reach();
    await Promise.all(apps.map(({ close }) => close()));
    apps = [];
  });

  /** An embedded database has one process only. */
  async function start(processes = 1, options: JobsModuleOptions = {}): Promise<void> {
    const all = { namespace: uniqueNamespace(), connectTimeout: '10s', ...options };
    const count = backend.name === 'embedded' ? 1 : processes;
    for (let n = 0; n < count; n++) {
      apps.push(
        await startJobsApp({ backend, providers: [Payments], controllers: [PaymentsController], options: all }),
      );
    }
    ({ jobs } = apps[0]!);
  }

  const parked = (job: JobHandle<unknown>): Promise<unknown> =>
    eventually(async () => expect(await job.status()).toMatchObject({ waitingFor: { kind: 'idempotency' } }));

  it.each([1, 8, 32])(
    '[I1] 50 jobs with one key on 3 processes have one effect, and 49 have its result, at concurrency %i',
    async (concurrency) => {
      await start(3, { queues: { default: { concurrency } } });
      const payload = { order: 'o1', cents: 100 };
      const handles = await jobs.enqueueMany(Array.from({ length: 50 }, () => ({ task: wait, payload })));
      const results = await Promise.all(handles.map((job) => job.result({ timeout: '1m' })));
      expect(effects).toHaveLength(1);
      const [by] = effects;
      for (const result of results) expect(result).toEqual({ b: `charged by ${by}`, a: 100 });
      const statuses = await Promise.all(handles.map((job) => job.status()));
      const own = statuses.filter(({ deduplicatedBy }) => deduplicatedBy === undefined);
      expect(own.map(({ id }) => id)).toEqual([by]);
      expect(statuses.filter(({ deduplicatedBy }) => deduplicatedBy === by)).toHaveLength(49);
    },
  );

  it('[I1] one that comes while the first runs takes no slot, and has the result when it is there', async () => {
    await start(1, { queues: { default: { concurrency: 2 } } });
    const first = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' });
    await isIn.reached;
    const others: JobHandle<object>[] = [];
    for (let n = 0; n < 5; n++) {
      others.push(await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' }));
      await parked(others[n]!);
    }
    expect(await others[0]!.status()).toMatchObject({ waitingFor: { key: 'o1' }, attempt: 0 });
    const free = await jobs.enqueue(wait, { order: 'o2', cents: 1 });
    await free.result();
    open.reach();
    for (const job of others) {
      expect(await job.result()).toEqual(await first.result());
      expect(await job.status()).toMatchObject({ deduplicatedBy: first.id, attempt: 1, state: 'succeeded' });
      expect((await jobs.queue('default').getJob(job.id))!.attemptsStarted).toBe(2);
    }
    expect(effects).toEqual([free.id, first.id]);
  });

  it('[I1] a failure is not kept: the next one runs, and the failed job has its result in the end', async () => {
    await start();
    const failing = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'fails once' });
    expect(await failing.result()).toEqual({ a: 1, b: `charged by ${failing.id}` });
    expect(await failing.status()).toMatchObject({ attempt: 2 });
    const next = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'fails once' });
    expect(await next.result()).toEqual(await failing.result());
    expect(effects).toEqual([failing.id]);
  });

  it('[I1] keeps the result for its ttl, and no longer', async () => {
    await start();
    const short = task(Payments, 'short');
    const first = await jobs.enqueue(short, { order: 'o1', cents: 1 });
    await first.result();
    await eventually(async () => {
      const job = await jobs.enqueue(short, { order: 'o1', cents: 1 });
      await job.result();
      return (await job.status()).deduplicatedBy === undefined;
    });
    expect(effects).toHaveLength(2);
  });

  it('[I1] does with one that finds another running what onBusy says', async () => {
    await start();
    for (const method of ['skip', 'fail'] as const) {
      [open, isIn] = [signal(), signal<JobContext>()];
      const ref = task(Payments, method);
      const first = await jobs.enqueue(ref, { order: method, cents: 1, does: 'stays' });
      await isIn.reached;
      const second = await jobs.enqueue(ref, { order: method, cents: 1, does: 'stays' });
      await second.result().catch((error) => expect(error).toBeInstanceOf(JobFailedError));
      expect(await second.status()).toMatchObject(
        method === 'skip'
          ? { state: 'succeeded', reason: 'another job with the idempotency key "skip" runs', result: null }
          : { state: 'failed', error: { name: 'IdempotencyBusyError' } },
      );
      open.reach();
      await first.result();
    }
    expect(effects).toHaveLength(2);
  });

  it('[I1] refuses a key that comes with another payload, also while the first runs', async () => {
    await start();
    await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' }, { id: 'first' });
    await isIn.reached;
    const during = await jobs.enqueue(wait, { order: 'o1', cents: 2 });
    await expect(during.result()).rejects.toThrow(JobFailedError);
    open.reach();
    await jobs.job('default_first').result();
    const after = await jobs.enqueue(wait, { order: 'o1', cents: 2 });
    await expect(after.result()).rejects.toThrow(JobFailedError);
    for (const job of [during, after]) {
      expect(await job.status()).toMatchObject({
        attempt: 1,
        error: { name: 'IdempotencyMismatchError', message: /"o1" belongs to another payload\. Give/ },
      });
    }
    // The order of keys makes no difference.
    const same = await jobs.enqueue(wait, { does: 'stays', cents: 1, order: 'o1' });
    await same.result();
    expect(effects).toEqual(['default_first']);
  });

  it('[I1] a claim that was lost keeps no result, and the attempt fails', async () => {
    await start();
    const first = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' }, { id: 'first' });
    const job = await isIn.reached;
    const { lines } = apps[0]!.app.get<QueueBackend>(QUEUE_BACKEND);
    // What the store does with a claim that is not renewed in time.
    await lines.leave({ name: 'once:payments.wait:o1', places: 1, patience: 1_000 }, job.id, true);
    const second = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' });
    await eventually(() => keys.length === 2);
    open.reach();
    await Promise.all([first.result(), second.result()]);
    const [one, other] = await Promise.all([first.status(), second.status()]);
    const lost = [one, other].filter(({ attempts }) => attempts.length > 1);
    // Whoever ended first had nobody beside it any more or was refused; nothing is unnoticed.
    expect(lost.map(({ attempts }) => attempts[0]!.error?.name)).toEqual([IdempotencyClaimLostError.name]);
    expect([one, other].filter(({ deduplicatedBy }) => deduplicatedBy !== undefined)).toHaveLength(1);
    expect(one.result).toEqual(other.result);
  });

  it('[I1] what is done is kept, also of a job that was cancelled meanwhile and of a store that did not answer', async () => {
    await start();
    const { keptResults } = apps[0]!.app.get<QueueBackend>(QUEUE_BACKEND);
    const keep = keptResults.keep.bind(keptResults);
    let asked = 0;
    keptResults.keep = async (...args) => {
      if (asked++ > 0) return keep(...args);
      throw new Error('it was not sent');
    };
    const first = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' });
    const job = await isIn.reached;
    await first.cancel();
    await eventually(() => job.signal.aborted);
    open.reach();
    expect(await first.result()).toEqual({ a: 1, b: `charged by ${first.id}` });
    const second = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'stays' });
    expect(await second.result()).toEqual(await first.result());
    expect([asked, effects]).toEqual([2, [first.id]]);
  });

  it('[I2] the key for other services is the same over attempts, and of all jobs with one key', async () => {
    await start();
    const failing = await jobs.enqueue(wait, { order: 'o1', cents: 1, does: 'fails once' });
    await failing.result();
    const other = await jobs.enqueue(wait, { order: 'o2', cents: 1 });
    await other.result();
    expect(keys).toHaveLength(3);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(keys).size).toBe(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it('[I2] without @Idempotent it is that of the job, also when the job is done again', async () => {
    await start();
    const plain = task(Payments, 'plain');
    const job = await jobs.enqueue(plain, { n: 1 });
    await expect(job.result()).rejects.toThrow(JobFailedError);
    const again = await jobs.deadLetters.redrive(job.id);
    await expect(again.result()).rejects.toThrow(JobFailedError);
    const third = await jobs.deadLetters.redrive(again.id);
    const key = await third.result();
    expect(keys).toEqual(Array.from({ length: 5 }, () => key));
    expect(key).not.toContain(job.id);
    const other = await jobs.enqueue(plain, { n: 1 });
    expect(await other.result()).not.toBe(key);
  });

  it('[I1] a task that returns nothing is kept as well, and a result that is no JSON fails as it does elsewhere', async () => {
    await start();
    for (let n = 0; n < 2; n++) {
      const job = await jobs.enqueue(task(Payments, 'nothing'));
      expect(await job.result()).toBeNull();
    }
    expect(effects).toEqual(['nothing']);
    const wrong = await jobs.enqueue(task(Payments, 'noJson'));
    await expect(wrong.result()).rejects.toThrow(JobFailedError);
    expect(await wrong.status()).toMatchObject({ error: { name: 'ResultNotSerializableError' } });
  });

  it('[I1] answers HTTP requests once: the same answer, 422 for another body, 400 without a key', async () => {
    await start(3);
    const post = (n: number, key: string | undefined, body: object, path = ''): request.Test => {
      const sent = request(apps[n % apps.length]!.app.getHttpServer() as never).post(`/payments${path}`);
      return (key === undefined ? sent : sent.set('idempotency-key', key)).send(body);
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(n, 'k1', { cents: 5 })));
    expect(effects).toEqual(['paid 5']);
    for (const { status, body } of answers) expect([status, body]).toEqual([202, { paid: 5, n: 1 }]);
    const other = await post(1, 'k1', { cents: 6 });
    expect(other.status).toBe(422);
    expect(JSON.stringify(other.body)).not.toContain('code-');
    expect((await post(0, undefined, { cents: 5 })).status).toBe(400);
    for (let n = 0; n < 2; n++) {
      const { status, text } = await post(n, 'k2', {}, '/status');
      expect([status, text]).toEqual([203, 'as it was']);
    }
    expect(effects).toEqual(['paid 5', 'status']);
  });

  it('[I1] does not do a request twice whose answer it cannot keep, or take one path for another', async () => {
    await start();
    const server = apps[0]!.app.getHttpServer() as never;
    const post = (path: string): request.Test => request(server).post(`/payments/${path}`).set('idempotency-key', 'k4');
    expect((await post('entity')).body).toEqual({ shown: 1 });
    expect((await post('entity')).status).toBe(409);
    expect([(await post('1/refund')).status, (await post('2/refund')).status]).toEqual([201, 422]);
    expect((await post('1/refund')).text).toBe('refunded');
    expect(effects).toEqual(['entity', 'refund']);
  });

  it('[I1] a job whose result is not to be kept has none, and others with its key have it', async () => {
    await start();
    const first = await jobs.enqueue(wait, { order: 'o1', cents: 1 }, { keepResult: false });
    expect(await first.result()).toBeNull();
    const second = await jobs.enqueue(wait, { order: 'o1', cents: 1 });
    expect(await second.result()).toEqual({ a: 1, b: `charged by ${first.id}` });
    const third = await jobs.enqueue(wait, { order: 'o1', cents: 1 }, { keepResult: false });
    expect(await third.result()).toBeNull();
    expect(effects).toEqual([first.id]);
  });

  it('[I1] an HTTP request that failed is done again, and one that finds it running may be refused', async () => {
    await start();
    const server = apps[0]!.app.getHttpServer() as never;
    const post = (body: object): request.Test =>
      request(server).post('/payments').set('idempotency-key', 'k3').send(body);
    expect((await post({ cents: 7, fails: true })).status).toBe(500);
    expect((await post({ cents: 7, fails: true })).body).toEqual({ paid: 7, n: 2 });
    expect(effects).toEqual(['failed', 'paid 7']);
  });
});

describe('@Idempotent on HTTP handlers', () => {
  it('[I1] has an app not boot where it could not answer, or would take one handler for another', async () => {
    const controllers = [
      () => {
        @Controller()
        class Answers {
          @Post()
          @Idempotent({ key: 'k' })
          own(@Res() _reply: object): void {}
        }
        return [Answers];
      },
      () => {
        @Controller()
        class Streams {
          @Sse()
          @Idempotent({ key: 'k' })
          all(): void {}
        }
        return [Streams];
      },
      () =>
        ['v1', 'v2'].map((path) => {
          @Controller(path)
          class Same {
            @Post()
            @Idempotent({ key: 'k' })
            create(): void {}
          }
          return Same;
        }),
    ];
    const expected = [
      /Answers.own .* answers by @Res/,
      /Streams.all .* answers by @Sse/,
      /Same.create .* another contro/,
    ];
    for (const [n, make] of controllers.entries()) {
      const boot = startJobsApp({ backend: backends[0]!, controllers: make() });
      await expect(boot).rejects.toThrow(expected[n]);
    }
  });
});
