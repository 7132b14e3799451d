import {
  Body,
  Catch,
  Controller,
  Injectable,
  Post,
  Scope,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import {
  Idempotent,
  isJobsContext,
  Locked,
  Payload,
  RateLimited,
  Snooze,
  Task,
  task,
  type CallSource,
  type JobContext,
  type JobHandle,
  type JobsService,
} from 'nestjs-jobs';
import request from 'supertest';
import { z } from 'zod';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

interface Move {
  readonly account: string;
  readonly order: string;
  readonly stays?: boolean;
}

let steps: string[] = [];
let caught: string[] = [];
let done: string[] = [];
let open = signal();
let isIn = signal();

@Injectable()
class Own implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    steps.push('interceptor');
    return next.handle();
  }
}

@Injectable()
class Global implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    if (isJobsContext(context)) steps.push('global interceptor');
    return next.handle();
  }
}

class OwnPipe implements PipeTransform {
  transform(value: unknown): unknown {
    steps.push('pipe');
    return value;
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(error: Error, _host: ArgumentsHost): never {
    caught.push(error.name);
    throw error;
  }
}

const limit = { limit: '1000/s' };
const lock = { key: ({ account }: Move, { headers }: CallSource) => headers['lock'] ?? account };
const once = { key: ({ order }: Move) => order };

async function move({ stays }: Move, job: JobContext): Promise<string> {
  steps.push('method');
  isIn.reach();
  if (stays) await open.reached;
  done.push(job.id);
  return job.id;
}

@Injectable()
class Moves {
  @Task({ name: 'moves.one' })
  @RateLimited(limit)
  @Locked(lock)
  @Idempotent(once)
  @UseInterceptors(Own)
  one(@Payload(OwnPipe) payload: Move, job: JobContext): Promise<string> {
    return move(payload, job);
  }

  @UseInterceptors(Own)
  @Idempotent(once)
  @Locked(lock)
  @RateLimited(limit)
  @Task({ name: 'moves.other' })
  other(@Payload(OwnPipe) payload: Move, job: JobContext): Promise<string> {
    return move(payload, job);
  }

  @Task({ name: 'moves.few' })
  @Locked(lock)
  @RateLimited({ limit: '1/h', burst: 2, name: 'few' })
  few(payload: Move, job: JobContext): Promise<string> {
    return move(payload, job);
  }

  @Task({ name: 'moves.snoozes' })
  @Locked(lock)
  snoozes(payload: Move, job: JobContext): Promise<string> {
    if (payload.stays && done.length === 0) {
      done.push('snoozed');
      throw new Snooze('1h');
    }
    return move(payload, job);
  }

  @Task({ name: 'moves.parsed', schema: z.object({ order: z.string(), at: z.string() }) })
  @Idempotent({ key: ({ order }) => order })
  parsed(payload: { order: string; at: string }): { at: string } {
    done.push(payload.order);
    return { at: payload.at };
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedMoves {
  @Task({ name: 'moves.scoped' })
  @Idempotent(once)
  @Locked(lock)
  @RateLimited(limit)
  scoped(payload: Move, job: JobContext): Promise<string> {
    return move(payload, job);
  }
}

@Controller('moves')
class MovesController {
  @Post()
  @UseInterceptors(Own)
  @Idempotent({ key: ({ order }: Move) => order })
  @RateLimited({ limit: '1000/s' })
  @Locked({ key: ({ account }: Move) => account })
  move(@Body(OwnPipe) _payload: Move): string {
    steps.push('method');
    return 'moved';
  }
}

describe.each(backends)('limits, locks and idempotency together on $name', (backend) => {
  let running: JobsApp;
  let jobs: JobsService;

  beforeEach(async () => {
    [steps, caught, done, open, isIn] = [[], [], [], signal(), signal()];
    const providers = [
      Moves,
      ScopedMoves,
      { provide: APP_FILTER, useClass: CatchAll },
      { provide: APP_INTERCEPTOR, useClass: Global },
    ];
    running = await startJobsApp({
      backend,
      providers,
      controllers: [MovesController],
      options: { connectTimeout: '10s' },
    });
    ({ jobs } = running);
  });
  afterEach(async () => {
    open.reach();
    await running.close();
  });

  /** Has the store's calls among the steps. */
  function watchStore(): void {
    const { limits, lines, keptResults } = running.app.get<QueueBackend>(QUEUE_BACKEND);
    const watch = <Key extends string>(object: Record<Key, (...args: never[]) => unknown>, key: Key, step: string) => {
      const original = object[key].bind(object);
      object[key] = (...args: never[]) => {
        steps.push(step);
        return original(...args);
      };
    };
    watch(limits as never, 'take', 'limit');
    watch(lines as never, 'take', 'lock');
    watch(keptResults as never, 'claim', 'idempotency');
    watch(keptResults as never, 'keep', 'result kept');
    watch(lines as never, 'free', 'lock given up');
  }

  const waitsFor = (job: JobHandle<unknown>, kind: string): Promise<unknown> =>
    eventually(async () => expect(await job.status()).toMatchObject({ waitingFor: { kind } }));

  const start = (method: 'one' | 'other' | 'few', payload: Move): Promise<JobHandle<string>> =>
    jobs.enqueue(task(Moves, method), payload);

  it.each(['one', 'other'] as const)(
    '[I1] [I3] [L1] have one order, in whatever order the decorators stand (%s)',
    async (method) => {
      watchStore();
      const job = await start(method, { account: 'a', order: 'o' });
      await job.result();
      const inside = 'global interceptor, interceptor, pipe, method';
      expect(steps.join(', ')).toBe(`limit, lock, idempotency, ${inside}, result kept, lock given up`);
    },
  );

  it('[I1] [I3] [L1] have the same order on an HTTP handler', async () => {
    watchStore();
    const server = running.app.getHttpServer() as never;
    const answer = await request(server).post('/moves').send({ account: 'a', order: 'o' });
    expect([answer.status, answer.text]).toEqual([201, 'moved']);
    const inside = 'interceptor, pipe, method';
    expect(steps.join(', ')).toBe(`limit, lock, idempotency, ${inside}, result kept, lock given up`);
  });

  it('[I1] [I3] a job holds nothing while it waits: no key while it waits for a lock, no lock while it waits for a key', async () => {
    const one = task(Moves, 'one');
    const payload = { account: 'a', order: 'o1', stays: true };
    const first = await jobs.enqueue(one, payload);
    await isIn.reached;
    const waitsForLock = await jobs.enqueue(one, { account: 'a', order: 'o2' });
    await waitsFor(waitsForLock, 'lock');
    // Under another lock, it would wait if the one before held the key.
    const sameKey = await jobs.enqueue(one, { account: 'a', order: 'o2' }, { headers: { lock: 'b' } });
    expect(await sameKey.result()).toBe(sameKey.id);
    const waitsForKey = await jobs.enqueue(one, payload, { headers: { lock: 'c' } });
    await waitsFor(waitsForKey, 'idempotency');
    expect(await jobs.locks.withLock('c', { maxWait: 0 }, () => 'free')).toBe('free');
    open.reach();
    expect(await waitsForKey.result()).toBe(first.id);
    expect(await waitsForLock.result()).toBe(sameKey.id);
  });

  it('[I3] [L1] one that a limit has let through is not counted again when it had to wait for a lock', async () => {
    const first = await start('few', { account: 'a', order: '', stays: true });
    await isIn.reached;
    const second = await start('few', { account: 'a', order: '' });
    await waitsFor(second, 'lock');
    const third = await start('few', { account: 'b', order: '' });
    await waitsFor(third, 'limit');
    open.reach();
    expect(await first.result()).toBe(first.id);
    expect(await second.result()).toBe(second.id);
    expect(done).toEqual([first.id, second.id]);
  });

  it.each([1, 8, 32])('[I1] [I3] [L1] nobody waits for ever, at concurrency %i', async (lanes) => {
    const payloads = Array.from({ length: 90 }, (_, n) => ({ account: `a${n % 3}`, order: `o${n % 30}` }));
    const handles: JobHandle<string>[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < payloads.length) handles.push(await start(next % 2 ? 'one' : 'other', payloads[next++]!));
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    await Promise.all(handles.map((job) => job.result({ timeout: '1m' })));
    // Each of the two tasks has keys of its own, and each key one account.
    expect(done).toHaveLength(30);
    expect(new Set(done).size).toBe(30);
    expect(caught).toEqual([]);
  });

  it('[I1] [I3] [L1] work in request scope', async () => {
    const scoped = task(ScopedMoves, 'scoped');
    const first = await jobs.enqueue(scoped, { account: 'a', order: 'o', stays: true });
    await isIn.reached;
    const second = await jobs.enqueue(scoped, { account: 'a', order: 'o', stays: true });
    await waitsFor(second, 'lock');
    open.reach();
    expect(await second.result()).toBe(first.id);
    expect(await second.status()).toMatchObject({ deduplicatedBy: first.id });
  });

  it('[I3] a job that snoozes gives up its lock, and no filter sees one that waits', async () => {
    const snoozed = await jobs.enqueue(task(Moves, 'snoozes'), { account: 'a', order: '', stays: true });
    await eventually(async () => expect(await snoozed.status()).toMatchObject({ state: 'scheduled' }));
    const first = await start('one', { account: 'a', order: 'o1', stays: true });
    await isIn.reached;
    const second = await start('one', { account: 'a', order: 'o2' });
    await waitsFor(second, 'lock');
    open.reach();
    await Promise.all([first.result(), second.result()]);
    expect(caught).toEqual(['Snooze']);
  });

  it('[I1] keeps what a schema made of the result, and does not read it twice', async () => {
    const parsed = task(Moves, 'parsed');
    for (let n = 0; n < 2; n++) {
      const job = await jobs.enqueue(parsed, { order: 'o', at: 'noon' });
      expect(await job.result()).toEqual({ at: 'noon' });
    }
    expect(done).toEqual(['o']);
  });
});
