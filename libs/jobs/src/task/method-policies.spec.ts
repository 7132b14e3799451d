import 'reflect-metadata';
import { Injectable, UseInterceptors } from '@nestjs/common';
import { Idempotent } from '../idempotency/idempotent.decorator.js';
import { IdempotencyInterceptor } from '../idempotency/idempotency.interceptor.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { RateLimited } from '../limits/rate-limited.decorator.js';
import { LockInterceptor } from '../locking/lock.interceptor.js';
import { Locked } from '../locking/locked.decorator.js';
import { enforcedBy, inFixedOrder, nameOfHandler, policyDecoratorsOf, policyOf } from './method-policies.js';
import { InvalidTaskError } from './task.errors.js';

interface Transfer {
  readonly account: string;
  readonly cents: number;
}

class Own {
  intercept(): void {}
}

class Transfers {
  @UseInterceptors(Own)
  @Idempotent({ key: ({ account, cents }) => `${account}/${cents}` })
  @Locked({ key: ({ account }) => account })
  @RateLimited({ limit: '1/s', key: ({ account }) => account, cost: ({ cents }) => cents })
  @RateLimited({ limit: '2/s' })
  move(_transfer: Transfer): void {}

  @Locked({ key: (_payload, { headers }) => headers['account'] })
  nothing(): void {}
}

class Others extends Transfers {
  override nothing(): void {}
}

function methodOf(type: { readonly prototype: object }, name: string): () => void {
  return (type.prototype as Record<string, () => void>)[name]!;
}

const move = methodOf(Transfers, 'move');

describe('the policies of a method', () => {
  it('[I1] [I3] [L1] stand before other interceptors, in one order', () => {
    const interceptors = Reflect.getMetadata('__interceptors__', move) as unknown[];
    expect(interceptors).toEqual([RateLimitInterceptor, LockInterceptor, IdempotencyInterceptor, Own]);
    expect(inFixedOrder([Own, IdempotencyInterceptor, LockInterceptor])).toEqual([
      LockInterceptor,
      IdempotencyInterceptor,
      Own,
    ]);
    expect(policyDecoratorsOf(move)).toEqual(['@RateLimited', '@Locked', '@Idempotent']);
    expect(policyDecoratorsOf(methodOf(Own, 'intercept'))).toEqual([]);
  });

  it('[L1] may be several limits, the uppermost first', () => {
    const limits = policyOf<{ rule: { limit: number } }>('limit', move).map(({ rule }) => rule.limit);
    expect(limits).toEqual([1, 2]);
  });

  it('[I3] are inherited with the method, and not by one that is written anew', () => {
    expect(policyDecoratorsOf(methodOf(Others, 'move'))).toContain('@Locked');
    expect(policyDecoratorsOf(methodOf(Others, 'nothing'))).toEqual([]);
    expect(nameOfHandler(Others, methodOf(Others, 'move'))).toBe('Others.move');
  });

  it('[I3] are known by the method, also when another decorator has replaced its function', () => {
    const wrapped = (): void => {};
    Object.defineProperty(wrapped, 'name', { value: '' });
    Locked({ key: 'key' })(Transfers.prototype, 'wrapped', { value: wrapped } as never);
    expect(nameOfHandler(Transfers, wrapped)).toBe('Transfers.wrapped');
  });

  it('[I3] tell an interceptor of ours, instance or class, of one of the user’s', () => {
    class Sub extends LockInterceptor {}
    expect([enforcedBy(LockInterceptor), enforcedBy(Sub), enforcedBy(Object.create(Sub.prototype))]).toEqual([
      'lock',
      'lock',
      'lock',
    ]);
    for (const other of [Own, new Own(), undefined, null, 'lock']) expect(enforcedBy(other)).toBeUndefined();
  });

  it('[I3] refuses a second lock on a method, and a property', () => {
    expect(() => {
      @Injectable()
      class Twice {
        @Locked({ key: 'a' })
        @Locked({ key: 'b' })
        work(): void {}
      }
      return Twice;
    }).toThrow(new InvalidTaskError('Twice.work', 'has more than one @Locked', 'Keep one of them'));
    expect(() => Locked({ key: 'a' })(Transfers, 'make', { value: () => {} } as never)).toThrow(
      /no method of the inst/,
    );
  });

  it('[I1] knows the payload of the method', () => {
    class Typed {
      // @ts-expect-error: the payload has no such property
      @Locked({ key: ({ acount }) => acount })
      one(_transfer: Transfer): void {}

      // @ts-expect-error: a key is text
      @Idempotent({ key: ({ cents }) => cents })
      two(_transfer: Transfer): void {}

      // @ts-expect-error: a cost is a number
      @RateLimited({ limit: '1/s', cost: ({ account }) => account })
      three(_transfer: Transfer): void {}
    }
    expect(policyDecoratorsOf(methodOf(Typed, 'one'))).toEqual(['@Locked']);
  });
});
