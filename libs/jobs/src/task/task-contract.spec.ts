import { type } from 'arktype';
import { expectTypeOf } from 'expect-type';
import { of, type Observable } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import type { JobsService } from '../client/jobs.service.js';
import type { JobContext } from '../execution/job-context.js';
import type { StandardSchemaV1 } from './standard-schema.js';
import { taskContract } from './task-contract.js';
import { Task } from './task.decorator.js';
import { InvalidTaskError } from './task.errors.js';
import { task } from './task-ref.js';

const input = z.object({ at: z.iso.datetime().transform((text) => new Date(text)), cents: z.int().default(0) });
const output = z.object({ id: z.number().transform(String) });
const charge = taskContract('billing.charge', { queue: 'billing', input, output });
const refund = taskContract<{ id: string }, { done: boolean | undefined }>('billing.refund', { priority: 7 });
const sweep = taskContract('billing.sweep');
const report = taskContract('billing.report', { output: z.object({ pages: z.number() }) });

const ofArktype = taskContract('counts.arktype', {
  input: type({ count: type('/^\\d+$/').pipe(Number) }),
  output: type({ doubled: 'number' }),
});
const ofValibot = taskContract('counts.valibot', {
  input: v.object({ count: v.pipe(v.string(), v.transform(Number)) }),
  output: v.object({ doubled: v.number() }),
});

class Counts {
  @Task(ofArktype)
  arktype({ count }: { count: number }): { doubled: number } {
    return { doubled: count * 2 };
  }

  @Task(ofValibot)
  valibot({ count }: { count: number }): { doubled: number } {
    return { doubled: count * 2 };
  }
}

class Booking {
  id!: string;
  at!: Date;
  isPast(): boolean {
    return this.at < new Date();
  }
}
const book = taskContract<{ id: string; at: string }, string, Booking>('billing.book');

class Billing {
  @Task(charge)
  async charge(payload: { at: Date; cents: number }, _job: JobContext): Promise<{ id: number }> {
    return { id: payload.cents };
  }

  @Task(refund, { retry: { delay: '5s' } })
  refund({ id }: { id: string }): Observable<{ done: boolean }> {
    return of({ done: id !== '' });
  }

  @Task(sweep)
  sweep(): void {}

  @Task(report)
  report(_payload: undefined, _job: JobContext): { pages: number } {
    return { pages: 1 };
  }

  @Task({ schema: input })
  reserve(_payload: { at: Date }): void {}

  @Task(book)
  book(booking: Booking): string {
    return booking.id;
  }
}

// Compiled by the type check, never called: what they assert are types.
async function typesOfProducers(jobs: JobsService): Promise<void> {
  const charged = await jobs.enqueue(charge, { at: '2030-01-31T09:00:00Z' }, { delay: '1m' });
  expectTypeOf(await charged.result()).toEqualTypeOf<{ id: string }>();
  const counted = await jobs.enqueue(ofArktype, { count: '21' });
  expectTypeOf(await counted.result()).toEqualTypeOf<{ doubled: number }>();
  expectTypeOf(await (await jobs.enqueue(ofValibot, { count: '21' })).result()).toEqualTypeOf<{ doubled: number }>();
  // @ts-expect-error the schema takes a string
  await jobs.enqueue(ofArktype, { count: 21 });
  // @ts-expect-error the schema takes a string
  await jobs.enqueue(ofValibot, { count: 21 });
  const refunded = await jobs.enqueue(refund, { id: 'a' });
  expectTypeOf(await refunded.result()).branded.toEqualTypeOf<{ done?: boolean }>();
  await jobs.enqueue(sweep);
  expectTypeOf(await (await jobs.enqueue(report)).result()).toEqualTypeOf<{ pages: number }>();
  await jobs.enqueue(book, { id: 'a', at: '2030-01-31T09:00:00Z' });
  await jobs.enqueueMany([{ task: charge, payload: { at: 'x', cents: 1 } }, { task: sweep }]);
  // @ts-expect-error the schema takes a string and makes the Date
  await jobs.enqueue(charge, { at: new Date() });
  // @ts-expect-error the payload is missing
  await jobs.enqueue(refund);
  // @ts-expect-error the task takes no payload
  await jobs.enqueue(sweep, { id: 'a' });
  // @ts-expect-error the payload of the second is missing
  await jobs.enqueueMany([{ task: sweep }, { task: charge }]);
  // @ts-expect-error a schema says the types already
  taskContract<{ id: string }>('a', { input });
  // @ts-expect-error there is no such option
  taskContract('a', { prio: 1 });
  // @ts-expect-error not a schema
  taskContract('a', { input: { type: 'object' } });
}

abstract class WrongMethods {
  // @ts-expect-error the payload has another type than the schema makes
  @Task(charge)
  charge(_payload: { at: string; cents: number }): { id: number } {
    return { id: 1 };
  }

  // @ts-expect-error what is returned is not what the schema takes
  @Task(charge)
  async chargeBadly(_payload: { at: Date }): Promise<{ id: string }> {
    return { id: '' };
  }

  // @ts-expect-error the payload has a key too many
  @Task(refund)
  refund(_payload: { id: string; cents: number }): { done: boolean } {
    return { done: true };
  }

  // @ts-expect-error the result is missing
  @Task(refund)
  refundNothing(_payload: { id: string }): void {}

  // @ts-expect-error the pipes make a Booking of it
  @Task(book)
  bookPlain(_payload: { id: string; at: string }): string {
    return '';
  }

  // @ts-expect-error the contract has no payload
  @Task(sweep)
  sweep(_payload: { id: string }): void {}

  // @ts-expect-error a schema checks the method as well
  @Task({ schema: input })
  book(_payload: { at: string }): void {}

  // @ts-expect-error the contract says it: a producer would not see it here
  @Task(refund, { priority: 1 })
  refundFirst(_payload: { id: string }): { done: boolean } {
    return { done: true };
  }

  // @ts-expect-error how often a job is tried is decided where it is enqueued
  @Task(refund, { retry: { attempts: 1 } })
  refundOnce(_payload: { id: string }): { done: boolean } {
    return { done: true };
  }
}

interface IdempotentOptions<Method extends (...args: never[]) => unknown> {
  key: (payload: Parameters<Method>[0]) => string;
}

/** The form of a decorator with a callback: what it is given follows from the method below it. */
function Idempotent<Method extends (...args: never[]) => unknown>(
  _options: IdempotentOptions<Method>,
): (target: object, method: string, descriptor: TypedPropertyDescriptor<Method>) => void {
  return () => undefined;
}

abstract class WithCallbacks {
  @Task()
  @Idempotent({ key: (payload) => payload.orderId })
  one(_payload: { orderId: string }): void {}

  @Idempotent({ key: ({ orderId, rows }) => `${orderId}-${rows.length}` })
  @Task({ name: 'two' })
  async two(_payload: { orderId: string; rows: number[] }, _job: JobContext): Promise<void> {}

  @Task(refund)
  @Idempotent({ key: (payload) => payload.id })
  three(_payload: { id: string }): { done: boolean } {
    return { done: true };
  }

  // @ts-expect-error there is no such key in the payload
  @Idempotent({ key: (payload) => payload.orderld })
  four(_payload: { orderId: string }): void {}

  // @ts-expect-error it is no string
  @Idempotent({ key: (payload) => payload.rows })
  five(_payload: { rows: number[] }): void {}
}

describe('taskContract()', () => {
  it('is the reference that task() gives of the method', () => {
    expect(task(Billing, 'charge')).toMatchObject({ name: charge.name, options: charge.options });
    expect(task(Counts, 'arktype').options).toEqual(ofArktype.options);
    expect(charge.options).toEqual({ name: 'billing.charge', queue: 'billing', schema: input });
    expect([typesOfProducers, WrongMethods, WithCallbacks]).toHaveLength(3);
  });

  const noSchema = { input: { type: 'object' } } as unknown as { input: StandardSchemaV1 };
  const refused: [string, () => unknown, RegExp][] = [
    [
      'an empty name',
      () => taskContract(''),
      /taskContract\(""\) has no name that a task can have\. It is a name of at/,
    ],
    ['a name with U+0000', () => taskContract('a\u0000b'), /taskContract\("a\\u0000b"\) has no name/],
    ['a name with half a surrogate pair', () => taskContract('a\ud800b'), /without spaces and colons, control char/],
    ['a name with a colon', () => taskContract('a:b'), /taskContract\("a:b"\) has no name/],
    ['a name that is none', () => taskContract(undefined as unknown as string), /has no name that a task can have/],
    ['a JSON Schema', () => taskContract('a', noSchema), /taskContract\("a"\) has an input that is no Standard Schema/],
    [
      'a null as output',
      () => taskContract('a', { output: null as unknown as StandardSchemaV1 }),
      /has an output that is no Standard Schema\. Pass one of zod/,
    ],
  ];

  it.each(refused)('refuses %s', (_what, make, message) => {
    expect(make).toThrow(InvalidTaskError);
    expect(make).toThrow(message);
  });

  it('refuses the same of @Task', () => {
    const decorate = Task({ schema: noSchema.input }) as (target: object, method: string, descriptor: object) => void;
    expect(() => decorate(Billing.prototype, 'x', { value: () => undefined })).toThrow(
      'Billing.x has a schema that is no Standard Schema',
    );
  });
});
