import { Client, Pool } from 'pg';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import {
  resolveEnqueueOptions,
  resolveEntryOptions,
  resolveManyOptions,
  type EnqueueEntryOptions,
  type EnqueueOptions,
} from './enqueue-options.js';
import type { EnqueueTransaction } from './enqueue-transaction.js';

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
    [{ id: '' }, /"id" must be 1 to 128 letters, digits.*but is ""/],
    [{ id: 'a:b' }, /"a:b"/],
    [{ id: 'a b' }, /"a b"/],
    [{ id: 'x\n' }, /"id"/],
    [{ id: 'x'.repeat(129) }, /"id"/],
    [{ id: 7 }, /but is 7/],
    [{ id: null }, /but is null/],
    [{ expiresIn: 0 }, /"expiresIn" must be a duration above zero/],
    [{ expiresIn: 'never' }, /or false for no end, but is "never"/],
    [{ expiresIn: true }, /"expiresIn".*true/],
    [{ expiresIn: '200y' }, /at most a hundred years/],
    [{ keepResult: 0 }, /"keepResult" must be true or false, but is 0/],
    [{ tags: 'acme' }, /"tags" must be an array of strings like \['acme'\], but is "acme"/],
    [{ tags: ['acme', ''] }, /"tags\[1\]" must be a string of 1 to 64 characters.*but is ""/],
    [{ tags: ['x'.repeat(65)] }, /"tags\[0\]"/],
    [{ tags: ['a\nb'] }, /none of them a control character/],
    [{ tags: ['\ud800'] }, /"tags\[0\]"/],
    [{ tags: [1] }, /"tags\[0\]".*but is 1/],
    [{ tags: Array.from({ length: 17 }, (_, n) => `t${n}`) }, /at most 16 different tags, but is an array of 17/],
    [{ headers: ['x'] }, /"headers" must be an object like .*an array of 1/],
    [{ headers: new Map() }, /an instance of Map/],
    [{ headers: { 'a b': 'x' } }, /keys are names of 1 to 128 letters.*which "a b" is not/],
    [{ headers: { '': 'x' } }, /which "" is not/],
    [{ headers: { tier: 3 } }, /"headers\.tier" must be a string without U\+0000.*but is a number/],
    [{ headers: { tier: undefined } }, /"headers\.tier".*undefined/],
    [{ headers: { tier: 'a\u0000' } }, /"headers\.tier"/],
  ];

  it.each(wrong)('refuse %j', (options, message) => {
    const refused = { name: InvalidEnqueueOptionsError.name, message: expect.stringMatching(message) };
    expect(() => resolveEnqueueOptions(options as EnqueueOptions, NOW)).toThrow(expect.objectContaining(refused));
  });

  it('take what a job is known by and carries along', () => {
    const resolve = (options: EnqueueOptions): unknown => resolveEnqueueOptions(options, NOW);
    for (const id of ['a', '0', '.', '_-.', 'x'.repeat(128)]) expect(resolve({ id })).toMatchObject({ id });
    expect(resolve({ expiresIn: '10m' })).toMatchObject({ expiresIn: 600_000 });
    expect(resolve({ expiresIn: false, keepResult: false })).toMatchObject({ expiresIn: false, keepResult: false });
    expect(resolve({ tags: ['b', 'a', 'b', '😀'.repeat(64)] })).toMatchObject({ tags: ['b', 'a', '😀'.repeat(64)] });
    expect(resolve({ tags: [] })).toMatchObject({ tags: undefined });
    const headers = { 'X-Tier_1.a': '', b: '\n"ü' };
    expect(resolve({ headers })).toMatchObject({ headers });
  });

  it('do not repeat a header in what they complain of: it may be a secret', () => {
    const wrongHeaders: unknown[] = [{ authorization: 's3cret\u0000' }, { 'a b': 's3cret' }, 's3cret', ['s3cret']];
    for (const headers of wrongHeaders) {
      const resolve = (): unknown => resolveEnqueueOptions({ headers } as EnqueueOptions, NOW);
      expect(resolve).toThrow(InvalidEnqueueOptionsError);
      expect(resolve).not.toThrow('s3cret');
    }
  });

  it('exclude by their types what excludes each other', () => {
    const options: EnqueueOptions = { id: 'a', headers: { a: 'b' }, tags: ['a'], expiresIn: false, keepResult: false };
    expect(options).toBeDefined();
    // @ts-expect-error -- a job starts after one or at the other
    const both: EnqueueOptions = { delay: 1, runAt: new Date() };
    // @ts-expect-error -- the whole list has one
    const own: EnqueueEntryOptions = { transaction: { query: async () => ({ rows: [] }) } };
    // @ts-expect-error -- headers are text
    const number: EnqueueOptions = { headers: { tier: 3 } };
    for (const wrong of [both, own, number]) {
      expect(() => resolveEntryOptions(wrong as EnqueueEntryOptions, NOW, 'options')).toThrow(
        InvalidEnqueueOptionsError,
      );
    }
  });

  it('are not repeated at any length by the complaint', () => {
    for (const options of [{ id: 'x'.repeat(100_000) }, { tags: ['\n'.repeat(100_000)] }]) {
      const resolve = (): unknown => resolveEnqueueOptions(options, NOW);
      expect(resolve).toThrow(InvalidEnqueueOptionsError);
      expect(resolve).toThrow(/^.{1,400}$/);
    }
  });

  it('of an entry are the same, and complain of their place in the list', () => {
    const options = { delay: '1m', priority: 7, queue: 'bulk' };
    expect(resolveEntryOptions(options, NOW, 'entries[0].options')).toEqual({
      ...options,
      delay: 60_000,
      calledAt: NOW,
    });
    expect(resolveEntryOptions(undefined, NOW, 'entries[0].options')).toEqual({ delay: 0, calledAt: NOW });
    const refused: [unknown, string][] = [
      [{ delay: -1 }, '"entries[3].options.delay" must be a duration from zero'],
      [{ delay: 1, runAt: new Date() }, '"entries[3].options.runAt" must be absent beside "delay"'],
      [{ runAt: 'soon' }, '"entries[3].options.runAt" must be a valid Date'],
      [{ priority: 10 }, '"entries[3].options.priority" must be a whole number'],
      [{ queue: 7 }, '"entries[3].options.queue" must be the name'],
      [{ prio: 7 }, 'no option "entries[3].options.prio"'],
      [{ id: '' }, '"entries[3].options.id" must be 1 to 128'],
      [{ tags: [''] }, '"entries[3].options.tags[0]" must be'],
      [{ headers: { a: 1 } }, '"entries[3].options.headers.a" must be'],
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
