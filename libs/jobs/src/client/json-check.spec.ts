import { findNotJson } from './json-check.js';

class Rows extends Array<number> {}

function nested(levels: number): unknown {
  let value: unknown = 'innermost';
  for (let n = 0; n < levels; n++) value = n % 2 === 0 ? [value] : { value };
  return value;
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();
const marked = Object.assign(['a'], { [Symbol('mark')]: true });

const order = {
  get total(): number {
    throw new Error('not loaded');
  },
};
const sparse: number[] = [1];
sparse[2] = 3;

describe('what JSON would not bring back as it went in', () => {
  const found: [string, unknown, RegExp, RegExp][] = [
    ['an instance of a class that extends Array', { rows: Rows.from([1]) }, /^\$\.rows$/, /^an instance of Rows$/],
    ['an array with a toJSON method', [Object.assign([1], { toJSON: () => 'x' })], /^\$\[0\]$/, /a toJSON method/],
    ['an array with names beside its items', ['x'.match('x')], /^\$\[0\]$/, /an array with the property "index"/],
    ['an array with a symbol', marked, /^\$$/, /an array with a symbol as a key/],
    ['an array with a hole', sparse, /^\$\[1\]$/, /^undefined$/],
    ['a getter that throws', { order }, /^\$\.order$/, /an object that throws when it is read/],
    ['a revoked proxy', { it: revoked.proxy }, /^\$\.it$/, /an object that throws when it is read/],
    ['more levels than anybody reads', nested(1_001), /^\$(\[0\]\.value)+.*\.{3}$/, /nested in more than 1000 levels/],
    ['so many that the stack would not do', nested(200_000), /\.{3}$/, /nested in more than 1000 levels/],
  ];

  it.each(found)('is found: %s', (_what, value, path, what) => {
    const notJson = findNotJson(value)!;
    expect(notJson.path).toMatch(path);
    expect(notJson.found).toMatch(what);
  });

  it('is told by a path of bounded length', () => {
    const { path } = findNotJson({ ['k'.repeat(100_000)]: 1n })!;
    expect(path.length).toBeLessThan(250);
  });

  it('is nothing in what comes from another realm, as fetch gives it in Jest', async () => {
    const body = (await new Response('{"rows":[{"id":1}]}').json()) as object;
    expect(Object.getPrototypeOf(body)).not.toBe(Object.prototype);
    for (const value of [body, structuredClone([[{}]]), nested(1_000)]) expect(findNotJson(value)).toBeUndefined();
    expect(findNotJson(structuredClone({ when: new Date() }))).toMatchObject({ path: '$.when' });
  });
});
