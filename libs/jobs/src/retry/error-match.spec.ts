import { Logger, NotFoundException } from '@nestjs/common';
import { jest } from '@jest/globals';
import { errorRule, isErrorMatch, type ErrorMatch } from './error-match.js';

class PaymentError extends Error {}
class CardError extends PaymentError {}
class Renamed extends Error {
  override readonly name = 'CardDeclined';
}
class NoError {}

/** Not even its prototype can be asked for. */
function refusing(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const rule = (match: ErrorMatch, whenUnclear = false): ((error: unknown) => boolean) =>
  errorRule([match], 'retryOn', whenUnclear);

describe('[R2] which errors are meant', () => {
  it.each<[string, ErrorMatch, unknown, boolean]>([
    ['its class', CardError, new CardError(), true],
    ['a class that it extends', PaymentError, new CardError(), true],
    ['a class that extends its own', CardError, new PaymentError(), false],
    ['a class of the language', TypeError, new TypeError(), true],
    ['a class that is no error', NoError, new NoError(), true],
    ['the name of its class', 'CardError', new CardError(), true],
    ['the name of a class that it extends', 'PaymentError', new CardError(), true],
    ['its own name', 'CardDeclined', new Renamed(), true],
    ['a part of its name', 'Card', new CardError(), false],
    ['the name of a class of Nest', 'HttpException', new NotFoundException(), true],
    ['a function that says so', (error) => error instanceof Error && error.message === 'x', new Error('x'), true],
    ['a function that says no', () => false, new Error('x'), false],
    ['a name, of a string', 'String', 'thrown', false],
    ['a name, of nothing', 'Error', undefined, false],
    ['a name, of an object without a prototype', 'Error', Object.create(null), false],
    ['a class, of a proxy that refuses', CardError, refusing(), false],
    ['a name, of a proxy that refuses', 'CardError', refusing(), false],
  ])('by %s', (_what, match, error, expected) => {
    expect(rule(match)(error)).toBe(expected);
  });

  it('takes what a function cannot say as it is told to, and says so', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const unclear: ErrorMatch[] = [
      () => {
        throw new Error('in the function');
      },
      (async () => false) as unknown as ErrorMatch,
      (() => 1) as unknown as ErrorMatch,
      () => {
        throw refusing();
      },
    ];
    for (const match of unclear) {
      expect([rule(match, true)(new Error('x')), rule(match, false)(new Error('x'))]).toEqual([true, false]);
    }
    expect(warn.mock.calls.map(([message]) => /gave or threw (.+)\. The/.exec(String(message))![1])).toEqual([
      ...Array.from({ length: 2 }, () => 'Error: in the function'),
      ...Array.from({ length: 2 }, () => 'a promise'),
      ...Array.from({ length: 2 }, () => 'number'),
      ...Array.from({ length: 2 }, () => 'object'),
    ]);
    warn.mockRestore();
  });

  it('takes no more than classes, names and functions', () => {
    expect([CardError, 'CardError', () => true].every(isErrorMatch)).toBe(true);
    expect([7, '', null, /Card/, {}, 'n'.repeat(201)].some(isErrorMatch)).toBe(false);
  });
});
