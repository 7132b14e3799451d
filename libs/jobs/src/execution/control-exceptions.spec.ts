import { IntrinsicException } from '@nestjs/common';
import { InvalidArgumentError } from '../client/invalid-argument.error.js';
import { isControlException, RetryLater, Skip, Snooze } from './control-exceptions.js';
import { NonRetryableError } from './execution.errors.js';

describe('exceptions that say how a job goes on', () => {
  it.each([
    [0, 0],
    [1.6, 2],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
  ])('take %p as a delay', (delay, milliseconds) => {
    expect(new Snooze(delay).delay).toBe(milliseconds);
    expect(new RetryLater(delay).delay).toBe(milliseconds);
  });

  const wrong = [-1, '-5s', Number.NaN, Number.POSITIVE_INFINITY, 1e16, 'soon', '', undefined, null, new Date(), {}];

  it.each(wrong)('refuse %p as a delay', (delay) => {
    for (const make of [() => new Snooze(delay as never), () => new RetryLater(delay as never)]) {
      expect(make).toThrow(InvalidArgumentError);
      expect(make).toThrow(/^nestjs-jobs: the delay of (Snooze|RetryLater) must be a duration from zero/);
    }
  });

  it.each([undefined, '', '  ', 7, {}])('refuse %p as a reason to skip', (reason) => {
    expect(() => new Skip(reason as never)).toThrow(InvalidArgumentError);
  });

  it('keep a reason that every backend can store', () => {
    expect(new Skip('a\u0000b\ud800').reason).toBe('a\ufffdb\ufffd');
    expect(new Skip('x'.repeat(1_000)).reason).toHaveLength(500);
  });

  it('say what was wrong: their own words, those of the cause, or that another attempt was asked for', () => {
    const cause = new Error('busy');
    expect(new RetryLater(1, { cause, message: 'mine' })).toMatchObject({ message: 'mine', cause });
    expect(new RetryLater(1, { cause })).toMatchObject({ message: 'busy', cause });
    expect(new RetryLater(1, { code: 'E_BUSY' })).toMatchObject({
      message: expect.stringMatching(/asked/),
      code: 'E_BUSY',
    });
    expect('cause' in new RetryLater(1)).toBe(false);
  });

  it('are known, those of a subclass too, and are no news to Nest', () => {
    class Later extends RetryLater {}
    for (const control of [new Snooze(1), new Skip('x'), new Later(1), new NonRetryableError('x')]) {
      expect(isControlException(control)).toBe(true);
      expect(control).toBeInstanceOf(IntrinsicException);
    }
    for (const other of [new Error('x'), new IntrinsicException('x'), { name: 'Snooze', delay: 1 }, undefined]) {
      expect(isControlException(other)).toBe(false);
    }
  });

  it('read a Retry-After header, and take the other delay when there is none', () => {
    expect(RetryLater.after('120', '5m', { code: 'E_BUSY' })).toMatchObject({ delay: 120_000, code: 'E_BUSY' });
    for (const header of [null, undefined, '', 'soon']) expect(RetryLater.after(header, '5m').delay).toBe(300_000);
    expect(() => RetryLater.after(null, 'soon')).toThrow(InvalidArgumentError);
  });
});
