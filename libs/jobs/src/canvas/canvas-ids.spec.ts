import { queueOfJobId } from '../client/job-id.js';
import {
  callbackPath,
  idAt,
  isSpawner,
  memberNumber,
  memberPath,
  newPath,
  pathOf,
  relayPath,
  spawnerPath,
  stepPath,
} from './canvas-ids.js';

const OF_THE_STORE = /^[a-z][a-z0-9-]*_[A-Za-z0-9._-]{1,128}$/;

describe('the ids of a canvas', () => {
  it('[V10] begin with the one of the canvas, and tell the place', () => {
    const path = newPath();
    expect(path).toMatch(/^[0-9a-f-]{36}$/);
    expect(newPath()).not.toBe(path);
    expect(memberPath(stepPath(path, 2), 17)).toBe(`${path}-2.17`);
    expect(spawnerPath(relayPath(path, 1))).toBe(`${path}-r1.s`);
    expect(callbackPath(memberPath(path, 0), 'e', 3)).toBe(`${path}.0-e3`);
    expect(pathOf(idAt('my-queue', memberPath(path, 4)))).toBe(`${path}.4`);
    expect(queueOfJobId(idAt('my-queue', path))).toBe('my-queue');
  });

  it('[V10] know the number of a member, and who adds members', () => {
    const path = newPath();
    expect(memberNumber(idAt('q', memberPath(path, 42)))).toBe(42);
    expect(memberNumber(idAt('q', stepPath(memberPath(path, 42), 0)))).toBeUndefined();
    expect(memberNumber(idAt('q', path))).toBeUndefined();
    expect(isSpawner(idAt('q', spawnerPath(memberPath(path, 1))))).toBe(true);
    expect(isSpawner(idAt('q', memberPath(path, 1)))).toBe(false);
  });

  it('[V10] are as long as the store takes them, the same each time, and no two alike, however deep', () => {
    const root = newPath();
    const below = (): string[] => {
      const found: string[] = [];
      let path = root;
      for (let depth = 0; depth < 500; depth++) {
        found.push(memberPath(path, 0), memberPath(path, 1), stepPath(path, 0), spawnerPath(path), relayPath(path, 0));
        found.push(callbackPath(path, 'l', 0), callbackPath(path, 'e', 0));
        path = depth % 3 === 0 ? stepPath(path, depth) : memberPath(path, depth);
      }
      return found;
    };
    const all = below();
    expect(new Set(all).size).toBe(all.length);
    expect(below()).toEqual(all);
    for (const path of all) {
      expect(idAt('jobs-internal', path)).toMatch(OF_THE_STORE);
      expect(path.startsWith(root)).toBe(true);
    }
    expect(memberNumber(all.at(-6)!)).toBe(1);
  });
});
