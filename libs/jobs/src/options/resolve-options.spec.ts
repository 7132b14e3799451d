import { inspect } from 'node:util';
import pg from 'pg';
import type { JobsModuleOptions } from './jobs-options.js';
import { InvalidJobsOptionsError, UnknownJobsOptionError } from './jobs-options.error.js';
import { resolveOptions } from './resolve-options.js';

const DEVELOPMENT = {};
const DEFAULTS = {
  retry: { attempts: 3, delay: 1_000, factor: 2, maxDelay: 600_000, jitter: 1 },
  timeLimit: { soft: 540_000, hard: 600_000, softFollows: true },
  priority: 5,
  expiresIn: undefined,
  keepResult: true,
};

const ROUTE = { match: 'a.*', queue: 'default' };

/** As much of an ioredis client as it is told by. */
class Client {
  constructor(readonly options: object = {}) {}
  duplicate(): void {}
  defineCommand(): void {}
}

function resolve(options: unknown, env: NodeJS.ProcessEnv = DEVELOPMENT): ReturnType<typeof resolveOptions> {
  return resolveOptions(options as JobsModuleOptions, env);
}

describe('module options', () => {
  it('have a default each', () => {
    expect(resolve({}).connection).toEqual({ kind: 'embedded', dataDir: '.jobs', byDefault: true });
    expect(resolve({})).toEqual({
      connectTimeout: 2_000,
      namespace: 'jobs',
      queues: new Map([
        ['default', { concurrency: 10, defaults: DEFAULTS }],
        ['jobs-internal', { concurrency: 16, defaults: DEFAULTS }],
      ]),
      defaultQueue: 'default',
      workedQueues: new Set(['default', 'jobs-internal']),
      routing: { routes: [], router: undefined },
      keepFor: 86_400_000,
      keepFailedFor: 604_800_000,
      maxResultSize: 65_536,
      maxStoredSize: 1024 ** 3,
      maxPayloadSize: 262_144,
      unknownTaskGrace: 3_600_000,
      lease: 30_000,
      cancelGrace: 30_000,
      adoptNestSchedule: false,
      shutdownGrace: 25_000,
    });
  });

  it('take durations and sizes as numbers and as strings', () => {
    const resolved = resolve({
      results: { keepFor: '2h', keepFailedFor: 5_000 },
      payload: { maxSize: '1mb' },
      defaults: { retry: { delay: '250ms', jitter: 'none', maxDelay: '1m' } },
    });
    expect(resolved).toMatchObject({ keepFor: 7_200_000, keepFailedFor: 5_000, maxPayloadSize: 1_048_576 });
    const { retry } = resolved.queues.get('default')!.defaults;
    expect(retry).toEqual({ attempts: 3, delay: 250, factor: 2, maxDelay: 60_000, jitter: 0 });
  });

  it('take a client, ioredis options and long retention', () => {
    const client = new Client();
    expect(resolve({ connection: { redis: client } }).connection).toEqual({ kind: 'redis', redis: client });
    expect(resolve({ connection: { redis: { host: 'x' } } }).connection).toEqual({
      kind: 'redis',
      redis: { host: 'x' },
    });
    expect(resolve({ results: { keepFor: '90d' } }).keepFor).toBe(90 * 86_400_000);
  });

  it('choose which queues are worked', () => {
    const queues = { a: {}, b: {}, c: { concurrency: 2 } };
    const worked = (workers: unknown): string[] => [...resolve({ queues, workers }).workedQueues].sort();
    expect(worked(true)).toEqual(['a', 'b', 'c', 'default', 'jobs-internal']);
    expect(worked(false)).toEqual([]);
    expect(worked({ only: ['a'] })).toEqual(['a', 'jobs-internal']);
    expect(worked({ only: [] })).toEqual([]);
    expect(worked({ except: ['a', 'default'] })).toEqual(['b', 'c', 'jobs-internal']);
  });

  it('lay the defaults of a queue over those of the module, option by option', () => {
    const { queues } = resolve({
      defaults: { priority: 3, expiresIn: '1h', retry: { attempts: 5, delay: '2s' } },
      queues: {
        bulk: { defaults: { priority: 0, retry: { delay: '1m' } } },
        slow: { defaults: { retry: { delay: '1h', maxDelay: '1h' } } },
        mails: { defaults: { expiresIn: false } },
      },
    });
    const retry = { ...DEFAULTS.retry, attempts: 5, delay: 2_000 };
    const module = { ...DEFAULTS, retry, priority: 3, expiresIn: 3_600_000, keepResult: true };
    expect(queues.get('default')!.defaults).toEqual(module);
    expect(queues.get('bulk')!.defaults).toEqual({ ...module, priority: 0, retry: { ...retry, delay: 60_000 } });
    expect(queues.get('slow')!.defaults.retry).toMatchObject({ delay: 3_600_000, maxDelay: 3_600_000 });
    expect(queues.get('mails')!.defaults).toEqual({ ...module, expiresIn: undefined });
  });

  it('lay the errors and times of a queue over those of the module', () => {
    const { queues } = resolve({
      defaults: {
        retry: { retryOn: TypeError, giveUpOn: ['Gone', RangeError], maxElapsed: '1h' },
        timeLimit: { hard: '1h' },
      },
      queues: {
        open: { defaults: { retry: { giveUpOn: [], maxElapsed: false }, timeLimit: false } },
        soft: { defaults: { timeLimit: { soft: '30m' } } },
        hard: { defaults: { timeLimit: { soft: false, hard: '1m' } } },
      },
    });
    const { retry, timeLimit } = queues.get('default')!.defaults;
    const errors = [new TypeError(), new RangeError(), Object.assign(new Error(), { name: 'Gone' }), new Error()];
    expect(errors.map((error) => retry.retryOn!(error))).toEqual([true, false, false, false]);
    expect(errors.map((error) => retry.giveUpOn!(error))).toEqual([false, true, true, false]);
    expect([retry.maxElapsed, timeLimit]).toEqual([3_600_000, { soft: 3_240_000, hard: 3_600_000, softFollows: true }]);
    const open = queues.get('open')!.defaults;
    expect(open.retry).toMatchObject({ giveUpOn: undefined, maxElapsed: undefined, retryOn: retry.retryOn });
    expect(open.timeLimit).toEqual({});
    expect(queues.get('soft')!.defaults.timeLimit).toEqual({ soft: 1_800_000, hard: 3_600_000 });
    expect(queues.get('hard')!.defaults.timeLimit).toEqual({ hard: 60_000 });
  });

  it('take routes, a router and the class of one', () => {
    class ByTier {
      route(): undefined {}
    }
    const { routes } = resolve({ routes: [ROUTE, { match: '*', priority: 0 }] }).routing;
    expect(routes.map(({ placement }) => placement)).toEqual([{ queue: 'default' }, { priority: 0 }]);
    for (const router of [ByTier, new ByTier()]) expect(resolve({ router }).routing.router).toBe(router);
  });

  const wrong: [unknown, string, RegExp][] = [
    [{ queues: { Bulk: {} } }, 'queues.Bulk', /lower-case letters/],
    [{ queues: { a_b: {} } }, 'queues.a_b', /"a_b"/],
    [{ queues: { bulk: { concurrency: 0 } } }, 'queues.bulk.concurrency', /whole number above zero, but is 0/],
    [{ queues: { bulk: { concurrency: 1.5 } } }, 'queues.bulk.concurrency', /1\.5/],
    [{ queues: { bulk: { globalConcurrency: 0 } } }, 'queues.bulk.globalConcurrency', /whole number above zero/],
    [{ queues: [] }, 'queues', /an array of 0/],
    [{ connectTimeout: 'soon' }, 'connectTimeout', /'10m'.*"soon"/],
    [{ connectTimeout: -1 }, 'connectTimeout', /-1/],
    [{ connectTimeout: '' }, 'connectTimeout', /""/],
    [{ namespace: 'a-b' }, 'namespace', /underscores/],
    [{ defaultQueue: 7 }, 'defaultQueue', /7/],
    [{ workers: { only: ['default', 'x'] } }, 'workers.only[1]', /a declared queue \(default\); declare it.*"x"/],
    [{ workers: { except: [7] } }, 'workers.except[0]', /a declared queue \(default\), but is 7/],
    [{ workers: { only: 'x' } }, 'workers.only', /a list of queue names, but is "x"/],
    [{ workers: { only: [], except: [] } }, 'workers', /\{ only: \[queues\] \}/],
    [{ workers: 'all' }, 'workers', /true, false, \{ only: \[queues\] \} or \{ except: \[queues\] \}, but is "all"/],
    [undefined, '(all)', /an object, but is undefined/],
    ['redis://u:s3cret@h', '(all)', /an object, but is a string/],
    [{ connectTimeout: Number.NaN }, 'connectTimeout', /but is NaN/],
    [{ connectTimeout: Number.POSITIVE_INFINITY }, 'connectTimeout', /but is Infinity/],
    [{ connectTimeout: new Date() }, 'connectTimeout', /but is a Date/],
    [{ connectTimeout: '1'.repeat(101) }, 'connectTimeout', /a duration above zero/],
    [{ lease: '25d' }, 'lease', /at most 2147483647 ms, but is "25d"/],
    [{ queues: new Map() }, 'queues', /an instance of Map/],
    [{ payload: { maxSize: '64 potatoes' } }, 'payload.maxSize', /'64kb'/],
    [{ payload: { maxSize: '1e3kb' } }, 'payload.maxSize', /'64kb'/],
    [{ payload: { maxSize: '64' } }, 'payload.maxSize', /'64kb'/],
    [{ defaults: { retry: { jitter: 2 } } }, 'defaults.retry.jitter', /'none', 'full' or a number/],
    [
      { defaults: { retry: { delay: '11m' } } },
      'defaults.retry.delay',
      /at most `maxDelay`, which is 600000 ms there; set `maxDelay` beside it, .*but is 660000/,
    ],
    [{ defaults: { retry: { maxDelay: '500ms' } } }, 'defaults.retry.delay', /which is 500 ms there.*but is 1000/],
    [
      { defaults: { retry: { delay: '9m' } }, queues: { bulk: { defaults: { retry: { maxDelay: '1m' } } } } },
      'queues.bulk.defaults.retry.delay',
      /which is 60000 ms there.*but is 540000/,
    ],
    [
      { defaults: { retry: { attempts: 2 ** 31 } } },
      'defaults.retry.attempts',
      /at most 2147483647, but is 2147483648/,
    ],
    [
      { defaults: { retry: { retryOn: [] } } },
      'defaults.retry.retryOn',
      /with at least one of them, but is an array of 0/,
    ],
    [{ defaults: { retry: { retryOn: 7 } } }, 'defaults.retry.retryOn', /a class, the name of an error.*but is 7/],
    [{ defaults: { retry: { giveUpOn: ['E', /x/] } } }, 'defaults.retry.giveUpOn[1]', /but is an instance of RegExp/],
    [{ defaults: { retry: { maxElapsed: 0 } } }, 'defaults.retry.maxElapsed', /or false for no end, but is 0/],
    [
      { defaults: { timeLimit: { soft: '10m', hard: '10m' } } },
      'defaults.timeLimit.soft',
      /less than `hard`, which is 600000 ms there; leave one of them out, .*but is "10m"/,
    ],
    [
      { queues: { mails: { defaults: { timeLimit: { soft: '2m', hard: 60_000 } } } } },
      'queues.mails.defaults.timeLimit.soft',
      /60000 ms there.*but is "2m"/,
    ],
    [{ defaults: { timeLimit: true } }, 'defaults.timeLimit', /an object, but is true/],
    [{ defaults: { timeLimit: { hard: '25d' } } }, 'defaults.timeLimit.hard', /at most 2147483647 ms/],
    [{ defaults: { timeLimit: { soft: 0 } } }, 'defaults.timeLimit.soft', /above zero.*but is 0/],
    [{ defaults: { priority: 10 } }, 'defaults.priority', /a whole number from 0 to 9, but is 10/],
    [{ defaults: { expiresIn: 0 } }, 'defaults.expiresIn', /a duration above zero .*or false for no end, but is 0/],
    [{ defaults: { expiresIn: true } }, 'defaults.expiresIn', /but is true/],
    [{ defaults: { expiresIn: '200y' } }, 'defaults.expiresIn', /at most a hundred years/],
    [{ defaults: { keepResult: 'no' } }, 'defaults.keepResult', /true or false, but is "no"/],
    [{ queues: { bulk: { defaults: { priority: -1 } } } }, 'queues.bulk.defaults.priority', /-1/],
    [{ queues: { bulk: { defaults: { retry: { attempts: 0 } } } } }, 'queues.bulk.defaults.retry.attempts', /but is 0/],
    [{ queues: { bulk: { defaults: 3 } } }, 'queues.bulk.defaults', /an object, but is 3/],
    [{ routes: {} }, 'routes', /an array of routes like \{ match.*an object with the keys \(none\)/],
    [{ routes: ['a'] }, 'routes[0]', /an object like \{ match.*"a"/],
    [{ routes: [undefined, ROUTE] }, 'routes[0]', /an object like \{ match.*undefined/],
    [{ routes: [ROUTE, { queue: 'default' }] }, 'routes[1].match', /a task's name.*but is undefined/],
    [{ routes: [{ match: 'a b', queue: 'default' }] }, 'routes[0].match', /without spaces.*"a b"/],
    [{ routes: [{ match: '', queue: 'default' }] }, 'routes[0].match', /but is ""/],
    [
      { routes: [ROUTE, { match: '*', queue: 'critical' }] },
      'routes[1].queue',
      /declared queue \(default\).*"critical"/,
    ],
    [{ routes: [{ match: '*', priority: '9' }] }, 'routes[0].priority', /a whole number from 0 to 9, but is "9"/],
    [{ routes: [{ match: '*' }] }, 'routes[0]', /with a queue, a priority or both.*the keys match/],
    [{ routes: [ROUTE], router: { route: () => undefined } }, 'router', /absent beside "routes"/],
    [{ router: 'ByTier' }, 'router', /a class with the method route.*"ByTier"/],
    [{ router: () => undefined }, 'router', /a class with the method route.*function/],
    [{ router: { routes: [] } }, 'router', /the keys routes/],
    [{ router: null }, 'router', /but is null/],
    [{ defaults: { retry: { factor: 0.5 } } }, 'defaults.retry.factor', /at least 1/],
    [{ payload: { maxSize: 'big' } }, 'payload.maxSize', /'64kb'/],
    [{ connection: undefined }, 'connection', /undefined/],
    [{ connection: '' }, 'connection', /redis:\/\/host/],
    [{ connection: null }, 'connection', /null/],
    [{ connection: 'http://localhost' }, 'connection', /redis:\/\/host/],
    [{ connection: {} }, 'connection', /embedded/],
    [{ connection: { redis: '' } }, 'connection.redis', /""/],
    [{ connection: { redis: {}, embedded: {} } }, 'connection', /an object with 2 keys/],
    [{ connection: { redis: { url: 'redis://x' } } }, 'connection.redis', /pass the url as a string/],
    [{ connection: { postgres: { url: 'postgres://x' } } }, 'connection.postgres', /or as `connectionString`/],
    [{ connection: { postgres: { connectionString: 'x' } } }, 'connection.postgres', /`connectionString` is a url/],
    [{ connection: { postgres: 'redis://x' } }, 'connection.postgres', /a url like 'postgres:/],
    [{ connection: { postgres: new pg.Client() } }, 'connection.postgres', /not a single client/],
    [{ connection: { postgres: 'postgres://h/d', migrate: 1 } }, 'connection.migrate', /true or false/],
    [{ connection: { redis: 'redis://x', migrate: false } }, 'connection', /a url like/],
    [{ connection: { redis: ['redis://x'] } }, 'connection.redis', /an ioredis client, but is an array of 1/],
    [{ connection: { redis: new Map() } }, 'connection.redis', /an ioredis client, but is an instance of Map/],
    [{ connection: { redis: { keyPrefix: 'x:' } } }, 'connection.redis', /use the option `namespace`/],
    [{ connection: { redis: new Client({ keyPrefix: 'x:' }) } }, 'connection.redis', /use the option `namespace`/],
    [{ connection: { embedded: { dataDir: '' } } }, 'connection.embedded.dataDir', /a path/],
    [{ connection: { embedded: { template: '' } } }, 'connection.embedded.template', /a path/],
  ];

  it('keep the connection out of what is logged', () => {
    expect(inspect(resolve({ connection: 'redis://u:s3cret@h' }))).not.toContain('s3cret');
  });

  it.each(wrong)('refuse %j, naming %s', (options, path, message) => {
    const refused = expect.objectContaining({
      name: InvalidJobsOptionsError.name,
      path,
      message: expect.stringMatching(message),
    });
    expect(() => resolve(options)).toThrow(refused);
  });

  it.each([
    [{ conection: 'redis://x' }, 'conection'],
    [{ queues: { bulk: { concurency: 1 } } }, 'queues.bulk.concurency'],
    [{ results: { keep: 1 } }, 'results.keep'],
    [{ defaults: { queue: 'x' } }, 'defaults.queue'],
    [{ queues: { bulk: { defaults: { prio: 1 } } } }, 'queues.bulk.defaults.prio'],
    [{ routes: [{ match: '*', queu: 'default' }] }, 'routes[0].queu'],
  ])('refuse the unknown option in %j', (options, path) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ name: UnknownJobsOptionError.name, path }));
  });

  it.each([
    'postgres://user:p%40ss@host:5432/database',
    'postgresql://host/database?sslmode=require',
    'postgres://user:pass@/database?host=/var/run/postgresql',
    'postgres:///database?host=/var/run/postgresql',
  ])('take %s', (url) => {
    const postgres = { kind: 'postgres', migrate: true };
    expect(resolve({ connection: url }).connection).toEqual({ ...postgres, target: url });
    const connectionString = { connectionString: url };
    expect(resolve({ connection: { postgres: connectionString } }).connection).toEqual({
      ...postgres,
      target: connectionString,
    });
  });

  it('show no secret of a connection that is refused', () => {
    const url = 'redis://u:s3cret@h';
    const connections = [
      'redis:/user:s3cret@host',
      's3cret://host',
      { host: 'x', password: 's3cret' },
      { redis: 's3cret@host' },
      { redis: [url] },
      { redis: { url } },
      { postgres: url },
      { postgres: { url } },
      { postgres: { connectionString: 's3cret' } },
      { embedded: url },
      { embedded: { [url]: 1 } },
      { embedded: {}, redis: url },
      { [url]: 1 },
      [url],
    ];
    for (const connection of connections) {
      expect(() => resolve({ connection })).toThrow(InvalidJobsOptionsError);
      expect(() => resolve({ connection })).toThrow(
        expect.not.objectContaining({ message: expect.stringMatching('s3cret') }),
      );
    }
  });

  it('want embedded to be named in production', () => {
    const production = { NODE_ENV: 'production' };
    expect(() => resolve({}, production)).toThrow(/NODE_ENV=production/);
    const named = resolve({ connection: { embedded: {} } }, production);
    expect(named.connection).toEqual({ kind: 'embedded', dataDir: '.jobs', byDefault: false });
  });
});
