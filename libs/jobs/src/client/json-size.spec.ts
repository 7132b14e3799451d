import { jest } from '@jest/globals';
import { jsonSizeOver } from './json-size.js';

describe('the size of JSON', () => {
  const values: [string, unknown][] = [
    ['a plain string', 'x'.repeat(500)],
    ['an empty string', ''],
    ['two bytes a character', 'ü'.repeat(300)],
    ['three bytes a character', '漢'.repeat(300)],
    ['four bytes in two units', '🚀'.repeat(200)],
    ['escapes', '"\\\n\u0001\u001f'.repeat(100)],
    ['long numbers', Array.from({ length: 50 }, () => -1.2345678901234567e-100)],
    ['short numbers', Array.from({ length: 200 }, () => 0)],
    ['null and booleans', [null, true, false]],
    ['an object', { a: 1, '"key"': 'ü', nested: { list: [{}, [], [[]]] } }],
    ['what JSON leaves out', { a: undefined, b: { c: undefined } }],
    ['no prototype', Object.assign(Object.create(null) as object, { a: 'x' })],
    ['a number', 7],
    ['null', null],
  ];

  it.each(values)('is found over a limit and not at it: %s', (_what, value) => {
    const size = Buffer.byteLength(JSON.stringify(value));
    expect(jsonSizeOver(value, size)).toBeUndefined();
    expect(jsonSizeOver(value, size - 1)).toBe(size);
    expect(jsonSizeOver(value, 0)).toBe(size);
  });

  it('is not computed for what is far below the limit', () => {
    const value = { text: 'x'.repeat(100), list: [1, 2, 3], toString: 'a' };
    const stringify = jest.spyOn(JSON, 'stringify');
    try {
      expect(jsonSizeOver(value, 10_000)).toBeUndefined();
      expect(stringify).not.toHaveBeenCalled();
    } finally {
      stringify.mockRestore();
    }
  });
});
