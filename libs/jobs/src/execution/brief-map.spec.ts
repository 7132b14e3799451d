import { BriefMap } from './brief-map.js';

it('holds values in the order of their keys, until they are deleted', () => {
  const map = new BriefMap<{ n: number }>();
  const [one, two] = [{ n: 1 }, { n: 2 }];
  map.set('a', one);
  map.set('b', two);
  expect([map.size, map.keys(), map.values()]).toEqual([2, ['a', 'b'], [one, two]]);
  map.delete('a', one);
  expect([map.has('a'), map.get('a'), map.has('b'), map.get('b')]).toEqual([false, undefined, true, two]);
  expect([map.size, map.keys(), map.values()]).toEqual([1, ['b'], [two]]);
});

it('deletes nothing when another value has taken the place', () => {
  const map = new BriefMap<{ n: number }>();
  const [older, newer] = [{ n: 1 }, { n: 2 }];
  map.set('a', older);
  map.set('a', newer);
  map.delete('a', older);
  expect(map.get('a')).toBe(newer);
  map.delete('a', newer);
  map.delete('a', newer);
  expect(map.size).toBe(0);
});
