import {
  Inject,
  Injectable,
  Scope,
  StandardSchemaValidationPipe,
  UsePipes,
  type ArgumentMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { APP_PIPE, REQUEST } from '@nestjs/core';
import { JobContext, Payload, PayloadInvalidError, Task, task, type StandardSchemaV1 } from 'nestjs-jobs';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const order = z.object({
  placedAt: z.iso.datetime().transform((text) => new Date(text)),
  items: z.array(z.object({ sku: z.string(), count: z.int().positive().default(1) })),
});
const knownUser = z.object({ userId: z.string().refine(async (id) => id === 'ada', 'there is no such user') });

/** By hand, as of a library that is not installed here: it doubles, so that twice would be seen. */
const doubled: StandardSchemaV1<number, number> = {
  '~standard': {
    version: 1,
    vendor: 'by-hand',
    validate: (value) => (typeof value === 'number' ? { value: value * 2 } : { issues: [{ message: 'no number' }] }),
  },
};

@Injectable()
class AddOne implements PipeTransform {
  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    return type === 'body' ? (value as number) + 1 : value;
  }
}

@Injectable()
class Orders {
  @Task({ name: 'orders.place', queue: 'orders', schema: order })
  place(payload: z.output<typeof order>): { year: number; counts: number[] } {
    return { year: payload.placedAt.getUTCFullYear(), counts: payload.items.map(({ count }) => count) };
  }

  @Task({ schema: knownUser, retry: { attempts: 5, delay: 1 } })
  greet({ userId }: { userId: string }): string {
    return `Hello ${userId}`;
  }

  @Task({ schema: doubled })
  @UsePipes(AddOne)
  double(@Payload(AddOne) n: number): number {
    return n;
  }

  @Task({ schema: z.string().default('nobody') })
  optional(name?: string): string {
    return name!;
  }
}

/** One schema in three libraries that implement the standard: each turns the text into a number. */
const countSchemas = {
  zod: z.object({ count: z.string().regex(/^\d+$/).transform(Number) }),
  valibot: v.object({ count: v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)) }),
  arktype: type({ count: type('/^\\d+$/').pipe(Number) }),
};

@Injectable()
class Counts {
  @Task({ schema: countSchemas.zod })
  zod({ count }: { count: number }): number {
    return count;
  }

  @Task({ schema: countSchemas.valibot })
  valibot({ count }: { count: number }): number {
    return count;
  }

  @Task({ schema: countSchemas.arktype })
  arktype({ count }: { count: number }): number {
    return count;
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedOrders {
  constructor(@Inject(REQUEST) private readonly job: JobContext) {}

  @Task({ schema: doubled })
  double(n: number): string {
    return `${this.job.attempt}: ${n}`;
  }
}

/** The same tasks as a producer knows them that was deployed before they had schemas. */
abstract class OrdersOfLastYear {
  @Task({ name: 'orders.place', queue: 'orders' })
  place(_payload: unknown): void {}

  @Task({ name: 'Orders.greet', retry: { attempts: 5 } })
  greet(_payload: unknown): void {}
}

const payload = { placedAt: '2030-01-31T09:00:00Z', items: [{ sku: 'a' }, { sku: 'b', count: 3 }] };
const wrong = { placedAt: 'today', items: [{ sku: 'a', count: 0 }] };

describe.each(backends)('[C1] the schema of a task on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const pipes = [{ provide: APP_PIPE, useFactory: () => new StandardSchemaValidationPipe() }];
    started = await startJobsApp({
      backend,
      providers: [Orders, ScopedOrders, Counts, ...pipes],
      options: { queues: { orders: {} } },
    });
  });
  afterAll(() => started?.close());

  const stored = async (): Promise<number> => {
    const counts = await started.jobs.queue('orders').getJobCounts();
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  };

  it('stores what the caller passed, and gives the method what the schema makes of it', async () => {
    const job = await started.jobs.enqueue(task(OrdersOfLastYear, 'place'), payload);
    expect(await job.result()).toEqual({ year: 2030, counts: [1, 3] });
    const { data } = (await started.jobs.queue('orders').getJob(job.id))!;
    expect((data as { p: unknown }).p).toEqual(payload);
  });

  it('is checked before anything is stored, with the paths of all issues', async () => {
    const before = await stored();
    const enqueue = started.jobs.enqueue(task(Orders, 'place'), wrong as never);
    await expect(enqueue).rejects.toThrow(PayloadInvalidError);
    await expect(enqueue).rejects.toMatchObject({
      message: expect.stringContaining('task "orders.place" does not match its schema: $.placedAt: ') as string,
      issues: [{ path: '$.placedAt' }, { path: '$.items[0].count', message: expect.any(String) as string }],
    });
    expect(await stored()).toBe(before);
  });

  it('is checked for every entry of a list before any is stored', async () => {
    const before = await stored();
    const good = { task: task(OrdersOfLastYear, 'place'), payload };
    const bad = { task: task(Orders, 'place'), payload: wrong as never };
    await expect(started.jobs.enqueueMany([good, bad])).rejects.toMatchObject({
      name: 'PayloadInvalidError',
      issues: [{ path: 'entries[1].payload.placedAt' }, { path: 'entries[1].payload.items[0].count' }],
    });
    expect(await stored()).toBe(before);
  });

  it('fails a stored job that does not match it, and does not try it again', async () => {
    const job = await started.jobs.enqueue(task(OrdersOfLastYear, 'place'), wrong);
    await expect(job.result()).rejects.toMatchObject({
      error: { name: 'PayloadInvalidError', message: expect.stringMatching(/\$\.items\[0\]\.count: /) as string },
    });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('may be asynchronous', async () => {
    expect(await (await started.jobs.enqueue(task(Orders, 'greet'), { userId: 'ada' })).result()).toBe('Hello ada');
    const issues = [{ path: '$.userId', message: 'there is no such user' }];
    const enqueue = started.jobs.enqueue(task(Orders, 'greet'), { userId: 'bob' });
    await expect(enqueue).rejects.toMatchObject({ name: 'PayloadInvalidError', issues });
    const job = await started.jobs.enqueue(task(OrdersOfLastYear, 'greet'), { userId: 'bob' });
    await expect(job.result()).rejects.toMatchObject({ error: { name: 'PayloadInvalidError' } });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('is applied once, before the pipes, with a global pipe for schemas as well', async () => {
    expect(await (await started.jobs.enqueue(task(Orders, 'double'), 20)).result()).toBe(42);
    expect(await (await started.jobs.enqueue(task(ScopedOrders, 'double'), 21)).result()).toBe('1: 42');
  });

  it.each(['zod', 'valibot', 'arktype'] as const)('may be of %s', async (library) => {
    const count = task(Counts, library);
    // A caller passes what the schema takes; the method is written for what the schema makes of it.
    expect(await (await started.jobs.enqueue(count, { count: '42' } as never)).result()).toBe(42);
    const enqueue = started.jobs.enqueue(count, { count: 'many' } as never);
    await expect(enqueue).rejects.toMatchObject({ name: 'PayloadInvalidError', issues: [{ path: '$.count' }] });
  });

  it('says what a payload that was left out becomes', async () => {
    expect(await (await started.jobs.enqueue(task(Orders, 'optional'))).result()).toBe('nobody');
  });
});
