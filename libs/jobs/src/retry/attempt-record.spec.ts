import { BadRequestException } from '@nestjs/common';
import { describeError, lastStack, readAttempts, shortened, stackWithAttempt } from './attempt-record.js';

class Unreadable extends Error {
  override get message(): string {
    throw new Error('no');
  }
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe('what is told of what was thrown', () => {
  const odd: [string, unknown, { name: string; message: string; code?: string }][] = [
    [
      'an error with a code',
      Object.assign(new TypeError('t'), { code: 'E' }),
      { name: 'TypeError', message: 't', code: 'E' },
    ],
    ['a numeric code', Object.assign(new Error('n'), { code: 7 }), { name: 'Error', message: 'n', code: '7' }],
    ['a string', 'thrown', { name: 'Error', message: 'thrown' }],
    ['undefined', undefined, { name: 'Error', message: 'undefined' }],
    ['a symbol', Symbol('s'), { name: 'Error', message: 'Symbol(s)' }],
    ['a message that cannot be read', new Unreadable(), { name: 'Error', message: '' }],
    ['a name that is no string', Object.assign(new Error('x'), { name: 7 }), { name: 'Error', message: 'x' }],
    ['no prototype', Object.create(null), { name: 'Error', message: '' }],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
      { name: 'Error', message: '' },
    ],
    [
      'what a ValidationPipe found wrong',
      new BadRequestException(['a must be a string', 'b should not be empty']),
      { name: 'BadRequestException', message: 'Bad Request Exception: a must be a string; b should not be empty' },
    ],
    [
      'a list of errors',
      new AggregateError([new Error('first'), new TypeError('second')], 'all failed'),
      { name: 'AggregateError', message: 'all failed: first; second' },
    ],
    ['a list that is revoked', Object.assign(new Error('m'), { errors: revoked([]) }), { name: 'Error', message: 'm' }],
    [
      'a response that is a list of something else',
      Object.assign(new Error('m'), { response: { message: [1, {}] } }),
      { name: 'Error', message: 'm' },
    ],
    ['what Postgres cannot store', new Error('a\u0000b\ud800'), { name: 'Error', message: 'a\ufffdb\ufffd' }],
  ];

  it.each(odd)('is storable for %s', (_what, thrown, told) => {
    expect(describeError(thrown)).toEqual(told);
    const attempt = { attempt: 1, startedAt: 'a', endedAt: 'b', error: told };
    expect(readAttempts([stackWithAttempt(thrown, attempt)])).toEqual([attempt]);
  });

  it('is bounded, and never ends in half a character', () => {
    const { name, message } = describeError(
      Object.assign(new Error('😀'.repeat(10_000)), { name: 'n'.repeat(10_000) }),
    );
    expect(name).toHaveLength(200);
    expect(message.length).toBeLessThanOrEqual(8_192);
    expect(message.isWellFormed()).toBe(true);
  });

  it('holds causes, three deep, also of an error that is its own', () => {
    const error: Error = new Error('outer', { cause: new TypeError('inner', { cause: 'a string is none' }) });
    expect(describeError(error)).toEqual({
      name: 'Error',
      message: 'outer',
      cause: { name: 'TypeError', message: 'inner' },
    });
    error.cause = error;
    const told = { name: 'Error', message: 'outer' };
    expect(describeError(error)).toEqual({ ...told, cause: { ...told, cause: { ...told, cause: told } } });
  });

  it('survives a stack that is no string', () => {
    const attempt = { attempt: 1, startedAt: 'a', endedAt: 'b' };
    expect(readAttempts([stackWithAttempt(Object.assign(new Error('x'), { stack: 5 }), attempt)])).toEqual([attempt]);
  });
});

describe('what is kept of the attempts before the last', () => {
  const attempt = (error: Error): string =>
    stackWithAttempt(error, {
      attempt: 1,
      startedAt: 'a',
      endedAt: 'b',
      error: describeError(error),
      leftRunning: true,
    });

  it('is what the status tells of them, and no stack', () => {
    const stacks = [attempt(new TypeError('one')), attempt(new Error('two', { cause: new Error('three') }))];
    const kept = shortened(stacks);
    expect(readAttempts(kept)).toEqual(readAttempts(stacks));
    expect(lastStack(kept)).toBeUndefined();
    expect(shortened(kept)).toEqual(kept);
  });

  it('is short of whatever they failed with', () => {
    const odd = '\u0001'.repeat(10_000);
    const deep = new Error(odd, { cause: new Error(odd, { cause: new Error(odd, { cause: new Error(odd) }) }) });
    const kept = shortened(shortened([attempt(deep), 'x'.repeat(10_000)]));
    expect(kept.map((stack) => stack.length < 10_000)).toEqual([true, true]);
    expect(readAttempts(kept)[0]!.error).toMatchObject({
      message: odd.slice(0, 500),
      cause: { message: odd.slice(0, 500) },
    });
    expect(readAttempts(kept)[0]!.error!.cause).not.toHaveProperty('cause');
    expect(shortened(null)).toEqual([]);
  });
});
