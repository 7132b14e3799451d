import { InvalidEnqueueOptionsError } from './client.errors.js';
import {
  resolveEnqueueOptions,
  resolveEntryOptions,
  type EnqueueEntryOptions,
  type EnqueueOptions,
} from './enqueue-options.js';
import { callersJobId, madeAt, newJobId } from './job-id.js';
import { engineKey, keyOf } from './uniqueness.js';

const NOW = Date.parse('2030-01-01T00:00:00Z');

describe('options that make one job of many calls', () => {
  const right: [EnqueueOptions, object | undefined][] = [
    [{}, undefined],
    [{ unique: undefined }, undefined],
    [{ unique: { key: 'k' } }, { key: 'k', until: 'finished', onConflict: 'return' }],
    [
      { unique: { key: 'k', until: 'started', onConflict: 'replace' } },
      { key: 'k', until: 'started', onConflict: 'replace' },
    ],
    [
      { unique: { key: 'x'.repeat(500), until: '10m' } },
      { key: 'x'.repeat(500), until: 600_000, onConflict: 'return' },
    ],
    [{ unique: { key: 'k', until: 0.2 } }, { key: 'k', until: 1, onConflict: 'return' }],
    [{ throttle: { key: 'k', every: '1h' } }, { key: 'k', until: 3_600_000, onConflict: 'return' }],
    [{ debounce: { key: 'k', wait: '5s' } }, { key: 'k', until: 'started', onConflict: 'replace', wait: 5_000 }],
    [
      { debounce: { key: 'k', wait: '5s', maxWait: '5s' } },
      { key: 'k', until: 'started', onConflict: 'replace', wait: 5_000, maxWait: 5_000 },
    ],
  ];

  it.each(right)('[I4] %j', (options, uniqueness) => {
    expect(resolveEnqueueOptions(options, NOW).uniqueness).toEqual(uniqueness);
  });

  it('[I4] debounce is a delay, and unique may have one beside it', () => {
    expect(resolveEnqueueOptions({ debounce: { key: 'k', wait: '5s', maxWait: '1m' } }, NOW).delay).toBe(5_000);
    expect(resolveEnqueueOptions({ unique: { key: 'k' }, delay: '1h' }, NOW).delay).toBe(3_600_000);
    expect(resolveEnqueueOptions({ throttle: { key: 'k', every: 1 }, runAt: new Date(NOW + 7) }, NOW).delay).toBe(7);
  });

  const wrong: [unknown, RegExp][] = [
    [{ unique: 'k' }, /"unique" must be an object like \{ key: 'report-7' \}, but is "k"/],
    [{ unique: null }, /"unique".*null/],
    [{ unique: {} }, /"unique\.key" must be text of 1 to 500 characters.*undefined/],
    [{ unique: { key: ' ' } }, /"unique\.key"/],
    [{ unique: { key: 7 } }, /but is 7/],
    [{ unique: { key: 'x'.repeat(501) } }, /1 to 500.*\(503 characters\)/],
    [{ unique: { key: 'a\u0000' } }, /"unique\.key"/],
    [{ unique: { key: '\ud800' } }, /half surrogate/],
    [{ unique: { key: 'k', untill: 'started' } }, /no option "unique\.untill"/],
    [{ unique: { key: 'k', until: 'executed' } }, /'started', 'finished', or a duration above zero.*but is "executed"/],
    [{ unique: { key: 'k', until: 0 } }, /"unique\.until".*but is 0/],
    [{ unique: { key: 'k', until: null } }, /"unique\.until".*null/],
    [{ unique: { key: 'k', until: '200y' } }, /"unique\.until"/],
    [{ unique: { key: 'k', onConflict: 'ignore' } }, /'return', 'replace' or 'reject', but is "ignore"/],
    [{ unique: { key: 'k', onConflict: null } }, /"unique\.onConflict".*null/],
    [{ unique: { key: 'k' }, id: 'x' }, /"unique" must be absent beside "id"/],
    [{ unique: { key: 'k' }, throttle: { key: 'k', every: 1 } }, /"throttle" must be absent beside "unique"/],
    [{ debounce: { key: 'k', wait: 1 }, throttle: { key: 'k', every: 1 } }, /absent beside "debounce"/],
    [{ throttle: { key: 'k' } }, /"throttle\.every" must be a duration above zero.*but is undefined/],
    [{ throttle: { key: 'k', every: -1 } }, /"throttle\.every".*-1/],
    [{ throttle: { every: 1 } }, /"throttle\.key"/],
    [{ throttle: 7 }, /"throttle" must be an object like \{ key: 'feed-7', every: '10m' \}/],
    [{ debounce: { key: 'k' } }, /"debounce\.wait" must be a duration above zero/],
    [{ debounce: { key: 'k', wait: '5s', maxWait: '4s' } }, /"debounce\.maxWait" must be at least as long as "wait"/],
    [{ debounce: { key: 'k', wait: 8.64e15 } }, /"debounce\.wait" must be a duration of at most/],
    [{ debounce: { key: 'k', wait: 1 }, delay: 1 }, /"delay" must be absent beside "debounce"/],
    [{ debounce: { key: 'k', wait: 1 }, runAt: new Date() }, /"runAt" must be absent beside "debounce"/],
    [{ debounce: [] }, /"debounce" must be an object like/],
  ];

  it.each(wrong)('[I4] %j is refused', (options, message) => {
    const refused = { name: InvalidEnqueueOptionsError.name, message: expect.stringMatching(message) };
    expect(() => resolveEnqueueOptions(options as EnqueueOptions, NOW)).toThrow(expect.objectContaining(refused));
  });

  it('[I4] in a list the place is named', () => {
    const options = { unique: { key: '' } } as EnqueueEntryOptions;
    expect(() => resolveEntryOptions(options, NOW, 'entries[3].options')).toThrow('"entries[3].options.unique.key"');
  });

  it('[I4] exclude each other by type', () => {
    const unique = { key: 'k' };
    const debounce = { key: 'k', wait: 1 };
    // @ts-expect-error an id makes one job in its own way
    const withId: EnqueueOptions = { unique, id: 'x' };
    // @ts-expect-error both say what comes of a second call
    const both: EnqueueOptions = { unique, debounce };
    // @ts-expect-error `wait` is the delay
    const delayed: EnqueueEntryOptions = { debounce, delay: 1 };
    // @ts-expect-error there is no such answer
    const answer: EnqueueOptions = { unique: { key: 'k', onConflict: 'ignore' } };
    const allowed: EnqueueOptions[] = [
      { unique, delay: 1, tags: ['x'], priority: 7 },
      { throttle: { key: 'k', every: '1h' }, runAt: new Date() },
      { debounce, expiresIn: '1m' },
      { id: 'x', delay: 1 },
    ];
    expect([withId, both, delayed, answer, ...allowed]).toHaveLength(8);
  });
});

describe('keys', () => {
  it('[I4] are those of a task, whatever is in them', () => {
    expect(keyOf('mail.send', engineKey('mail.send', 'a:b'))).toBe('a:b');
    expect(keyOf('mail', engineKey('mail.send', 'a'))).toBeUndefined();
    expect(keyOf('mail', '')).toBeUndefined();
  });

  it('[I4] ids of ours say when they were made', () => {
    const before = Date.now();
    const at = madeAt(newJobId('bulk'))!;
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
    expect(madeAt(callersJobId('bulk', 'order-1'))).toBeUndefined();
    expect(madeAt(callersJobId('bulk', 'redrive-0123456789abcdef0123456789abcdef'))).toBeUndefined();
  });
});
