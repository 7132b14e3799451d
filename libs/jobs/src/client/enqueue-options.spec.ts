import { Client, Pool } from 'pg';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import {
  resolveEnqueueOptions,
  resolveEntryOptions,
  resolveManyOptions,
  type EnqueueEntryOptions,
  type EnqueueOptions,
  type EnqueueTransaction,
} from './enqueue-options.js';

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

  it('of an entry are the same, and complain of their place in the list', () => {
    const options = { delay: '1m', priority: 7, queue: 'bulk' };
    expect(resolveEntryOptions(options, NOW, 'entries[0].options')).toEqual({ ...options, delay: 60_000 });
    expect(resolveEntryOptions(undefined, NOW, 'entries[0].options').delay).toBe(0);
    const refused: [unknown, string][] = [
      [{ delay: -1 }, '"entries[3].options.delay" must be a duration from zero'],
      [{ delay: 1, runAt: new Date() }, '"entries[3].options.runAt" must be absent beside "delay"'],
      [{ runAt: 'soon' }, '"entries[3].options.runAt" must be a valid Date'],
      [{ priority: 10 }, '"entries[3].options.priority" must be a whole number'],
      [{ queue: 7 }, '"entries[3].options.queue" must be the name'],
      [{ prio: 7 }, 'no option "entries[3].options.prio"'],
      [{ transaction: {} }, '"entries[3].options.transaction" must be absent: all entries'],
      [null, '"entries[3].options" must be an object'],
    ];
    for (const [wrongOptions, message] of refused) {
      const resolve = (): unknown =>
        resolveEntryOptions(wrongOptions as EnqueueEntryOptions, NOW, 'entries[3].options');
      expect(resolve).toThrow(InvalidEnqueueOptionsError);
      expect(resolve).toThrow(message);
    }
  });
});

describe('the option transaction', () => {
  const query = async (): Promise<{ rows: unknown[] }> => ({ rows: [] });

  it('takes what has a query function, unless pg knows that it is in no transaction', () => {
    const clients: EnqueueTransaction['transaction'][] = [
      { query },
      new Client(),
      ...['T', null, undefined].map((status) => Object.assign({ query }, { getTransactionStatus: () => status })),
    ];
    for (const transaction of clients) {
      expect(resolveEnqueueOptions({ transaction }, NOW).transaction).toBe(transaction);
      expect(resolveManyOptions({ transaction })).toBe(transaction);
    }
    expect(resolveManyOptions(undefined)).toBeUndefined();
    expect(resolveManyOptions({ transaction: undefined })).toBeUndefined();
  });

  const refused: [string, unknown, RegExp][] = [
    ['null', null, /must be a pg client between BEGIN and COMMIT.*fromTypeOrm.*but is null/],
    ['a url', 'postgres://app:secret@db/app', /must be a pg client/],
    ['a function', () => query, /but is function/],
    ['an object without query', { execute: query, query: {} }, /the keys execute, query/],
    ['a pool', new Pool(), /is a pool.*pool\.connect\(\)/],
    ['an idle client', { query, getTransactionStatus: () => 'I' }, /is in none.*Send BEGIN first/],
    ['a failed transaction', { query, getTransactionStatus: () => 'E' }, /has failed.*Send ROLLBACK/],
  ];

  it.each(refused)('refuses %s', (_what, transaction, message) => {
    const options = { transaction } as EnqueueTransaction;
    for (const resolve of [() => resolveEnqueueOptions(options, NOW), () => resolveManyOptions(options)]) {
      expect(resolve).toThrow(InvalidEnqueueOptionsError);
      expect(resolve).toThrow(message);
    }
  });

  it('stands alone beside the entries', () => {
    const options = { transaction: { query }, priority: 7 };
    expect(() => resolveManyOptions(options)).toThrow('no option "priority". Known here: transaction');
  });
});
