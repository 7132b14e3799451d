import { InvalidEnqueueOptionsError } from './client.errors.js';
import { resolveEnqueueOptions, type EnqueueOptions } from './enqueue-options.js';

const NOW = Date.parse('2030-01-01T00:00:00Z');

describe('enqueue options', () => {
  it('[S8] turn delay and runAt into one delay', () => {
    const delays: [EnqueueOptions, number][] = [
      [{}, 0],
      [{ delay: 0 }, 0],
      [{ delay: '1h' }, 3_600_000],
      [{ runAt: new Date(NOW + 5) }, 5],
      [{ runAt: '2030-01-01T01:00:00+01:00' }, 0],
      [{ runAt: '2030-01-01T00:00:01.500Z' }, 1_500],
      [{ runAt: '2029-01-01T00:00:00Z' }, 0],
    ];
    for (const [options, delay] of delays) expect(resolveEnqueueOptions(options, NOW).delay).toBe(delay);
  });

  const wrong: [unknown, RegExp][] = [
    [{ delay: -1 }, /"delay" must be a duration from zero.*-1/],
    [{ delay: 'later' }, /"later"/],
    [{ delay: Number.NaN }, /"delay"/],
    [{ runAt: '2030-01-01' }, /ISO-8601 with a zone.*"2030-01-01"/],
    [{ runAt: new Date('never') }, /"runAt"/],
    [{ delay: 1, runAt: new Date() }, /"runAt" must be absent beside "delay"/],
    [{ delay: 8.64e15 }, /"delay" must be short enough to end on a date/],
    [{ delay: Number.MAX_VALUE }, /short enough/],
    [{ delay: '1'.repeat(101) }, /"delay" must be a duration/],
    [{ runAt: '2030-02-31T00:00:00Z' }, /ISO-8601 with a zone.*"2030-02-31/],
    [{ runAt: '2030-13-01T00:00:00Z' }, /"runAt"/],
    [{ runAt: new Date(8.64e15 + 1) }, /"runAt"/],
    [{ queue: 7 }, /"queue" must be the name of a declared queue, but is 7/],
    [{ queue: null }, /"queue".*null/],
    [{ priority: 10 }, /from 0 to 9, but is 10/],
    [{ priority: 1.5 }, /1\.5/],
    [{ prio: 1 }, /no option "prio"/],
    ['soon', /an object/],
  ];

  it.each(wrong)('refuse %j', (options, message) => {
    const refused = { name: InvalidEnqueueOptionsError.name, message: expect.stringMatching(message) };
    expect(() => resolveEnqueueOptions(options as EnqueueOptions, NOW)).toThrow(expect.objectContaining(refused));
  });
});
