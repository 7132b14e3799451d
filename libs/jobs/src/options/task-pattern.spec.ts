import { taskPattern } from './task-pattern.js';

describe('a pattern of task names', () => {
  it.each([
    ['payment.*', ['payment.charge', 'payment.card.charge', 'payment.'], ['payment', 'repayment.charge', 'Payment.x']],
    ['*.send', ['mails.send', '.send', 'a.b.send'], ['mails.sender', 'mails-send', 'send']],
    ['*', ['x', 'Work.echo', 'ünï'], []],
    ['a*b*c', ['abc', 'a.b.c', 'abcbc'], ['ab', 'abcd']],
    ['a**b', ['ab', 'a.b'], ['a']],
    ['v?', ['v1', 'vä', 'v😀'], ['v', 'v10']],
    ['a.b', ['a.b'], ['aXb', 'a.b.c']],
    ['*?.?*', ['a.b', 'a.b.c', '...'], ['.b', 'a.', 'ab']],
    ['*a*ab', ['aab', 'a.aab', 'aaab'], ['ab', 'aabb', 'aaba']],
    ['', [''], ['a']],
    ['(a|b)[c]{1}$+^\\', ['(a|b)[c]{1}$+^\\'], ['ac', 'bc']],
  ])('%s', (pattern, fits, others) => {
    expect(fits.filter((name) => !taskPattern(pattern).test(name))).toEqual([]);
    expect(others.filter((name) => taskPattern(pattern).test(name))).toEqual([]);
  });

  it('is searched quickly, however many stars it has', () => {
    for (const part of ['*', '*?', '*a', '*a*?']) {
      const pattern = taskPattern(part.repeat(40) + 'x');
      expect(pattern.test('a'.repeat(200))).toBe(false);
      expect(pattern.test(`${'a'.repeat(200)}x`)).toBe(true);
    }
  });
});
