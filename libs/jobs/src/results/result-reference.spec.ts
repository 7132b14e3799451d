import { isReference, KeptElsewhere, readResultKey, resultKey } from './result-reference.js';

const RANDOM = 'f'.repeat(32);
const owner = { id: 'default_1', queue: 'default' };

describe('the key of a result', () => {
  it('[A5] tells whose it is, and how long it is kept', () => {
    for (const [parentId, until] of [
      [undefined, undefined],
      ['bulk_a.b-c', undefined],
      [undefined, 1_700_000_000_000],
      ['bulk_a.for-x', 1_700_000_000_000],
    ] as const) {
      const key = resultKey({ ...owner, parentId }, 'bytes', RANDOM, until);
      expect(readResultKey(key)).toEqual({
        queue: 'default',
        jobId: 'default_1',
        ...(until !== undefined && { until }),
        ...(parentId !== undefined && { parentId }),
      });
    }
  });

  it('[A5] of a parent with a very long id is kept for a month instead', () => {
    const key = resultKey({ ...owner, parentId: `bulk_${'x'.repeat(180)}` }, 'json', RANDOM);
    expect(key.split('/')[2]!.length).toBeLessThanOrEqual(200);
    expect(readResultKey(key)!.until).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  });

  it('[A5] is read of what was not finished too, and of nothing else', () => {
    expect(readResultKey(`default/default_1/${RANDOM}-json~0123.part`)).toMatchObject({ jobId: 'default_1' });
    expect(readResultKey('default/default_1')).toBeUndefined();
    expect(readResultKey('a/b/c/d')).toBeUndefined();
  });

  it('[A5] says whether it is JSON', () => {
    const kept = (as: 'json' | 'bytes') => {
      const ref = `0123456789abcdef/${resultKey(owner, as, RANDOM, 5)}`;
      return new KeptElsewhere({ ref, size: 1, contentType: 'application/json', sha256: '' });
    };
    expect([kept('json').isJson, kept('bytes').isJson]).toEqual([true, false]);
    expect([isReference(kept('bytes').reference), isReference(kept('json').reference)]).toEqual([true, false]);
    expect(isReference({ ...kept('bytes').reference, more: 1 })).toBe(false);
    expect(isReference(null)).toBe(false);
  });
});
