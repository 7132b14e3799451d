import { InvalidJobsOptionsError } from './jobs-options.error.js';
import type { JobsModuleOptions, ResolvedJobsOptions, ResolvedQueueOptions } from './jobs-options.js';
import { isPlainObject, OptionReader } from './option-reader.js';
import { resolveConnection } from './resolve-connection.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** A hundred years: the store measures it, not a timer. */
const LONGEST_KEPT = 100 * 365 * 24 * HOUR;
const QUEUE_NAME = /^[a-z][a-z0-9-]*$/;
const QUEUE_NAME_RULE = 'a name of lower-case letters, digits and dashes that begins with a letter';

const DEFAULT_RETRY: ResolvedRetryPolicy = {
  attempts: 3,
  delay: SECOND,
  factor: 2,
  maxDelay: 600 * SECOND,
  jitter: 1,
};

/** Checks the module's options and fills in every default. @internal */
export function resolveOptions(options: JobsModuleOptions, env: NodeJS.ProcessEnv = process.env): ResolvedJobsOptions {
  if (options === undefined) throw new InvalidJobsOptionsError('(all)', 'an object', options);
  const reader = new OptionReader(options, '', [
    'connection',
    'connectTimeout',
    'namespace',
    'queues',
    'defaultQueue',
    'workers',
    'defaults',
    'results',
    'payload',
    'unknownTaskGrace',
    'lease',
    'shutdown',
  ]);
  const defaultQueue = reader.text('defaultQueue', 'default', QUEUE_NAME, QUEUE_NAME_RULE);
  const queues = resolveQueues(reader, defaultQueue);
  const defaults = new OptionReader(reader.raw('defaults'), 'defaults', ['retry']);
  const results = new OptionReader(reader.raw('results'), 'results', ['keepFor', 'keepFailedFor']);
  const payload = new OptionReader(reader.raw('payload'), 'payload', ['maxSize']);
  const shutdown = new OptionReader(reader.raw('shutdown'), 'shutdown', ['grace']);
  return Object.freeze({
    connection: resolveConnection(options, env),
    connectTimeout: reader.duration('connectTimeout', 2 * SECOND),
    namespace: reader.text(
      'namespace',
      'jobs',
      /^[a-z][a-z0-9_]{0,47}$/,
      'a name of at most 48 lower-case letters, digits and underscores that begins with a letter',
    ),
    queues,
    defaultQueue,
    workedQueues: resolveWorkedQueues(reader, [...queues.keys()]),
    retry: resolveRetry(defaults.raw('retry'), 'defaults.retry', DEFAULT_RETRY),
    keepFor: results.duration('keepFor', 24 * HOUR, LONGEST_KEPT),
    keepFailedFor: results.duration('keepFailedFor', 7 * 24 * HOUR, LONGEST_KEPT),
    maxPayloadSize: payload.byteSize('maxSize', 256 * 1024),
    unknownTaskGrace: reader.duration('unknownTaskGrace', HOUR),
    lease: reader.duration('lease', 30 * SECOND),
    shutdownGrace: shutdown.duration('grace', 30 * SECOND),
  });
}

/** Lays a retry policy over another one, checked. @internal */
export function resolveRetry(value: unknown, path: string, base: ResolvedRetryPolicy): ResolvedRetryPolicy {
  const reader = new OptionReader(value, path, ['attempts', 'delay', 'factor', 'maxDelay', 'jitter']);
  const factor = reader.raw('factor');
  return Object.freeze({
    attempts: reader.count('attempts', base.attempts),
    delay: reader.duration('delay', base.delay),
    factor:
      factor === undefined ? base.factor : reader.check('factor', factor, (n) => n >= 1, 'a number of at least 1'),
    maxDelay: reader.duration('maxDelay', base.maxDelay),
    jitter: resolveJitter(reader, base.jitter),
  });
}

function resolveJitter(reader: OptionReader, fallback: number): number {
  const jitter = reader.raw('jitter');
  if (jitter === undefined) return fallback;
  if (jitter === 'none') return 0;
  if (jitter === 'full') return 1;
  return reader.check('jitter', jitter, (n) => n >= 0 && n <= 1, "'none', 'full' or a number from 0 to 1");
}

function resolveQueues(reader: OptionReader, defaultQueue: string): ReadonlyMap<string, ResolvedQueueOptions> {
  const declared = reader.raw('queues') ?? {};
  if (!isPlainObject(declared))
    throw new InvalidJobsOptionsError('queues', 'an object of queue name to options', declared);
  const queues = new Map<string, ResolvedQueueOptions>();
  for (const [name, value] of Object.entries({ [defaultQueue]: undefined, ...declared })) {
    const path = `queues.${name}`;
    if (!QUEUE_NAME.test(name)) throw new InvalidJobsOptionsError(path, QUEUE_NAME_RULE, name);
    queues.set(name, { concurrency: new OptionReader(value, path, ['concurrency']).count('concurrency', 10) });
  }
  return queues;
}

const WORKERS_RULE = 'true, false, { only: [queues] } or { except: [queues] }';

function resolveWorkedQueues(reader: OptionReader, declared: readonly string[]): ReadonlySet<string> {
  const value = reader.raw('workers') ?? true;
  if (typeof value === 'boolean') return new Set(value ? declared : []);
  if (!isPlainObject(value)) throw new InvalidJobsOptionsError('workers', WORKERS_RULE, value);
  const selection = new OptionReader(value, 'workers', ['only', 'except']);
  const { only, except } = { only: selection.raw('only'), except: selection.raw('except') };
  if ((only === undefined) === (except === undefined)) {
    throw new InvalidJobsOptionsError('workers', WORKERS_RULE, value);
  }
  const names = only ?? except;
  if (!Array.isArray(names)) throw new InvalidJobsOptionsError('workers', 'a list of queue names', names);
  for (const name of names) {
    if (!declared.includes(name as string)) {
      throw new InvalidJobsOptionsError('workers', `made of declared queues (${declared.join(', ')})`, name);
    }
  }
  return new Set(declared.filter((name) => names.includes(name) === (only !== undefined)));
}
