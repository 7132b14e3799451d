import { callersJobId, newJobId, queueOfJobId } from './job-id.js';

const VERSION_7 = /^default_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('the id of a job', () => {
  it('is a UUID of version 7 after its queue, with the time of its making, and never comes twice', () => {
    const before = Date.now();
    const ids = Array.from({ length: 10_000 }, () => newJobId('default'));
    const after = Date.now();
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(id).toMatch(VERSION_7);
      const time = Number.parseInt(id.replace('default_', '').replace('-', '').slice(0, 12), 16);
      expect(time >= before && time <= after).toBe(true);
    }
  });

  it('names its queue', () => {
    expect(queueOfJobId(newJobId('a-queue'))).toBe('a-queue');
    expect(queueOfJobId(callersJobId('a-queue', 'order_7.b'))).toBe('a-queue');
    for (const id of ['', 'default', 'default_', '_x', 'A_x', 'a_x y']) expect(queueOfJobId(id)).toBeUndefined();
  });
});
