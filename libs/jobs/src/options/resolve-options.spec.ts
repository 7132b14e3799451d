import type { JobsModuleOptions } from './jobs-options.js';
import { InvalidJobsOptionsError, UnknownJobsOptionError } from './jobs-options.error.js';
import { resolveOptions } from './resolve-options.js';

const DEVELOPMENT = {};

function resolve(options: unknown, env: NodeJS.ProcessEnv = DEVELOPMENT): ReturnType<typeof resolveOptions> {
  return resolveOptions(options as JobsModuleOptions, env);
}

describe('module options', () => {
  it('have a default each', () => {
    expect(resolve({})).toEqual({
      connection: { kind: 'embedded', dataDir: '.jobs', byDefault: true },
      connectTimeout: 2_000,
      namespace: 'jobs',
      queues: new Map([['default', { concurrency: 10 }]]),
      defaultQueue: 'default',
      workedQueues: new Set(['default']),
      retry: { attempts: 3, delay: 1_000, factor: 2, maxDelay: 600_000, jitter: 1 },
      keepFor: 86_400_000,
      keepFailedFor: 604_800_000,
      maxPayloadSize: 262_144,
      unknownTaskGrace: 3_600_000,
      lease: 30_000,
      shutdownGrace: 30_000,
    });
  });

  it('take durations and sizes as numbers and as strings', () => {
    const resolved = resolve({
      results: { keepFor: '2h', keepFailedFor: 5_000 },
      payload: { maxSize: '1mb' },
      defaults: { retry: { delay: '250ms', jitter: 'none', maxDelay: '1m' } },
    });
    expect(resolved).toMatchObject({ keepFor: 7_200_000, keepFailedFor: 5_000, maxPayloadSize: 1_048_576 });
    expect(resolved.retry).toEqual({ attempts: 3, delay: 250, factor: 2, maxDelay: 60_000, jitter: 0 });
  });

  it('choose which queues are worked', () => {
    const queues = { a: {}, b: {}, c: { concurrency: 2 } };
    expect([...resolve({ queues, workers: true }).workedQueues].sort()).toEqual(['a', 'b', 'c', 'default']);
    expect([...resolve({ queues, workers: false }).workedQueues]).toEqual([]);
    expect([...resolve({ queues, workers: { only: ['a'] } }).workedQueues]).toEqual(['a']);
    expect([...resolve({ queues, workers: { except: ['a', 'default'] } }).workedQueues].sort()).toEqual(['b', 'c']);
  });

  const wrong: [unknown, string, RegExp][] = [
    [{ queues: { Bulk: {} } }, 'queues.Bulk', /lower-case letters/],
    [{ queues: { a_b: {} } }, 'queues.a_b', /"a_b"/],
    [{ queues: { bulk: { concurrency: 0 } } }, 'queues.bulk.concurrency', /whole number above zero, but is 0/],
    [{ queues: { bulk: { concurrency: 1.5 } } }, 'queues.bulk.concurrency', /1\.5/],
    [{ queues: [] }, 'queues', /an array of 0/],
    [{ connectTimeout: 'soon' }, 'connectTimeout', /'10m'.*"soon"/],
    [{ connectTimeout: -1 }, 'connectTimeout', /-1/],
    [{ connectTimeout: '' }, 'connectTimeout', /""/],
    [{ namespace: 'a-b' }, 'namespace', /underscores/],
    [{ defaultQueue: 7 }, 'defaultQueue', /7/],
    [{ workers: { only: ['x'] } }, 'workers', /declared queues \(default\).*"x"/],
    [{ workers: { only: [], except: [] } }, 'workers', /\{ only: \[queues\] \}/],
    [{ workers: 'all' }, 'workers', /an object/],
    [{ defaults: { retry: { jitter: 2 } } }, 'defaults.retry.jitter', /'none', 'full' or a number/],
    [{ defaults: { retry: { factor: 0.5 } } }, 'defaults.retry.factor', /at least 1/],
    [{ payload: { maxSize: 'big' } }, 'payload.maxSize', /'64kb'/],
    [{ connection: undefined }, 'connection', /undefined/],
    [{ connection: '' }, 'connection', /redis:\/\/host/],
    [{ connection: null }, 'connection', /null/],
    [{ connection: 'http://localhost' }, 'connection', /redis:\/\/host/],
    [{ connection: {} }, 'connection', /embedded/],
    [{ connection: { redis: '' } }, 'connection.redis', /""/],
    [{ connection: { redis: {}, embedded: {} } }, 'connection', /keys redis, embedded/],
    [{ connection: { embedded: { dataDir: '' } } }, 'connection.embedded.dataDir', /a path/],
  ];

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
  ])('refuse the unknown option in %j', (options, path) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ name: UnknownJobsOptionError.name, path }));
  });

  it('show no secret of a connection that is refused', () => {
    for (const connection of ['redis:/user:s3cret@host', { host: 'x', password: 's3cret' }, { redis: 's3cret@host' }]) {
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
