import { InvalidResultKeyError } from './invalid-result-key.error.js';
import { isFoundKey, requireFoundKey, requireResultKey, splitFoundKey } from './result-key.js';

const LONGEST = 'a'.repeat(250);

describe('keys of results', () => {
  it.each([
    'default/default_0199a3f2-7c1e-7d53-9f4e-0c8b1a2d3e4f/3f2a',
    'default/default_my.own-id_7/result.json',
    'q/q_..a/.hidden',
    'a.../...b/....',
    `${LONGEST}/${LONGEST}/${LONGEST}`,
  ])('takes %s', (key) => {
    expect(requireResultKey(key)).toBe(key);
    expect(requireFoundKey(key)).toBe(key);
    expect(splitFoundKey(key)).toEqual([key, undefined]);
  });

  it.each([
    '',
    'result',
    'default/result',
    'default/job/name/more',
    '/default/job',
    '//name',
    'default//name',
    'default/job/',
    '../job/name',
    'default/../name',
    'default/job/..',
    'default/job/.',
    './job/name',
    '/etc/passwd',
    'default\\job\\name',
    'default/job\\..\\..\\x/name',
    'C:/job/name',
    'default/job/na me',
    'default/job/name\n',
    'default/job/nam\u0000e',
    'default/jöb/name',
    'default/%2e%2e/name',
    `default/job/${LONGEST}a`,
  ])('refuses %j', (key) => {
    expect(() => requireResultKey(key)).toThrow(InvalidResultKeyError);
    expect(() => requireFoundKey(key)).toThrow(InvalidResultKeyError);
  });

  it('takes what is not finished only where it is removed', () => {
    const key = 'default/default_1/result~2~a%2Fb.c_d-e';
    expect(() => requireResultKey(key)).toThrow(InvalidResultKeyError);
    expect(isFoundKey(key)).toBe(true);
    expect(splitFoundKey(key)).toEqual(['default/default_1/result', '2~a%2Fb.c_d-e']);
    expect(isFoundKey('default/default_1/result~../../x')).toBe(false);
    expect(isFoundKey('default/default_1~x/result')).toBe(false);
    expect(isFoundKey('default/default_1/result~')).toBe(false);
  });

  it('says what a key must be', () => {
    expect(() => requireResultKey('../x')).toThrow('"../x" is no key of a result: it must be <queue>/<job id>/<name>');
  });
});
