import { packResult, packSkip, unpackResult } from './stored-result.js';

/** As a store brings it back. */
function stored(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null)) as unknown;
}

describe('a stored result', () => {
  const results: unknown[] = [
    null,
    0,
    '',
    [],
    {},
    { rows: [1] },
    { 'nestjs-jobs': 'text' },
    { 'nestjs-jobs': {} },
    { 'nestjs-jobs': { skipped: 'no' } },
    { 'nestjs-jobs': { result: { 'nestjs-jobs': { result: 1 } } } },
    [{ 'nestjs-jobs': { skipped: 'no' } }],
  ];

  it.each(results)('comes back as it was: %j', (result) => {
    expect(unpackResult(stored(packResult(result)))).toEqual({ result });
  });

  it('is stored as it is, unless it looks like a packed one', () => {
    const result = { rows: [1] };
    expect(packResult(result)).toBe(result);
  });

  it('tells why there is none', () => {
    expect(unpackResult(stored(packSkip('nothing to do')))).toEqual({ result: null, reason: 'nothing to do' });
    expect(unpackResult(undefined)).toEqual({ result: null });
  });
});
