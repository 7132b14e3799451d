import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { InvalidArgumentError } from '../client/invalid-argument.error.js';
import type { LimitRule } from '../backend/limits.js';
import { resolveLimitRule, type RateLimitRule } from '../limits/limit-rule.js';
import { InvalidJobsOptionsError } from './jobs-options.error.js';
import type {
  JobsModuleOptions,
  ResolvedJobsOptions,
  ResolvedQueueOptions,
  ResolvedTaskDefaults,
} from './jobs-options.js';
import { assertDeclaredQueue, isPlainObject, OptionReader, QUEUE_NAME } from './option-reader.js';
import { resolveConnection } from './resolve-connection.js';
import { resolveResults } from './resolve-results.js';
import { resolveRouting } from './resolve-routing.js';
import { assertRetryWaits, resolveRetry, resolveTimeLimit } from './resolve-attempts.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Jobs of the library's own that a process does at the same time. */
const NODE_CONCURRENCY = 16;
const QUEUE_NAME_RULE = 'a name of lower-case letters, digits and dashes that begins with a letter';

const DEFAULT_RETRY: ResolvedRetryPolicy = {
  attempts: 3,
  delay: SECOND,
  factor: 2,
  maxDelay: 600 * SECOND,
  jitter: 1,
};
const DEFAULTS: ResolvedTaskDefaults = {
  retry: DEFAULT_RETRY,
  timeLimit: { soft: 540 * SECOND, hard: 600 * SECOND, softFollows: true },
  priority: 5,
  expiresIn: undefined,
  keepResult: true,
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
    'routes',
    'router',
    'workers',
    'defaults',
    'results',
    'payload',
    'unknownTaskGrace',
    'lease',
    'cancelGrace',
    'adoptNestSchedule',
    'shutdown',
  ]);
  const defaultQueue = reader.text('defaultQueue', 'default', QUEUE_NAME, QUEUE_NAME_RULE);
  const queues = resolveQueues(reader, defaultQueue, resolveDefaults(reader.raw('defaults'), 'defaults', DEFAULTS));
  const connection = resolveConnection(options, env);
  const payload = new OptionReader(reader.raw('payload'), 'payload', ['maxSize']);
  const shutdown = new OptionReader(reader.raw('shutdown'), 'shutdown', ['grace']);
  const resolved: ResolvedJobsOptions = {
    connection,
    connectTimeout: reader.duration('connectTimeout', 2 * SECOND),
    namespace: reader.text(
      'namespace',
      'jobs',
      /^[a-z][a-z0-9_]{0,47}$/,
      'a name of at most 48 lower-case letters, digits and underscores that begins with a letter',
    ),
    queues,
    defaultQueue,
    workedQueues: resolveWorkedQueues(reader, queues),
    routing: resolveRouting(reader, queues),
    ...resolveResults(reader.raw('results'), connection),
    maxPayloadSize: payload.byteSize('maxSize', 256 * 1024),
    unknownTaskGrace: reader.duration('unknownTaskGrace', HOUR),
    lease: reader.duration('lease', 30 * SECOND),
    cancelGrace: reader.duration('cancelGrace', 30 * SECOND),
    adoptNestSchedule: reader.flag('adoptNestSchedule') ?? false,
    shutdownGrace: shutdown.duration('grace', 25 * SECOND),
  };
  // They may hold a password, and whoever logs a provider logs the options that it holds.
  for (const secret of ['connection', 'resultStore']) Object.defineProperty(resolved, secret, { enumerable: false });
  return Object.freeze(resolved);
}

/** Lays defaults over others, checked. */
function resolveDefaults(value: unknown, path: string, base: ResolvedTaskDefaults): ResolvedTaskDefaults {
  const reader = new OptionReader(value, path, ['retry', 'timeLimit', 'priority', 'expiresIn', 'keepResult']);
  const expiresIn = reader.expiry('expiresIn');
  const retry = resolveRetry(reader.raw('retry'), reader.at('retry'), base.retry);
  assertRetryWaits(retry, reader.at('retry'));
  const timeLimit = resolveTimeLimit(reader.raw('timeLimit'), reader.at('timeLimit'), base.timeLimit);
  return Object.freeze({
    retry,
    timeLimit,
    priority: reader.priority('priority') ?? base.priority,
    expiresIn: expiresIn === undefined ? base.expiresIn : expiresIn || undefined,
    keepResult: reader.flag('keepResult') ?? base.keepResult,
  });
}

function resolveQueues(
  reader: OptionReader,
  defaultQueue: string,
  defaults: ResolvedTaskDefaults,
): ReadonlyMap<string, ResolvedQueueOptions> {
  const declared = reader.raw('queues') ?? {};
  if (!isPlainObject(declared))
    throw new InvalidJobsOptionsError('queues', 'an object of queue name to options', declared);
  const queues = new Map<string, ResolvedQueueOptions>();
  for (const [name, value] of Object.entries({ [defaultQueue]: undefined, ...declared })) {
    const path = `queues.${name}`;
    if (!QUEUE_NAME.test(name)) throw new InvalidJobsOptionsError(path, QUEUE_NAME_RULE, name);
    if (name === INTERNAL_QUEUE)
      throw new InvalidJobsOptionsError(path, "another name: this queue is the library's own", name);
    const queue = new OptionReader(value, path, ['concurrency', 'globalConcurrency', 'rateLimit', 'defaults']);
    queues.set(name, {
      concurrency: queue.count('concurrency', 10),
      globalConcurrency: queue.raw('globalConcurrency') === undefined ? undefined : queue.count('globalConcurrency', 1),
      rateLimit: resolveRateLimit(queue.raw('rateLimit'), queue.at('rateLimit')),
      defaults: resolveDefaults(queue.raw('defaults'), queue.at('defaults'), defaults),
    });
  }
  // In the library's own queue nothing waits for its turn, is limited or expires.
  queues.set(INTERNAL_QUEUE, {
    concurrency: NODE_CONCURRENCY,
    globalConcurrency: undefined,
    rateLimit: undefined,
    defaults: DEFAULTS,
  });
  return queues;
}

function resolveRateLimit(value: unknown, path: string): LimitRule | undefined {
  if (value === undefined) return undefined;
  const rule = typeof value === 'string' ? { limit: value } : value;
  const expected = "a limit like '100/m', or an object like { limit: '100/m', burst: 10 }";
  try {
    const reader = OptionReader.of(rule, path, ['limit', 'burst', 'algorithm'], expected);
    return resolveLimitRule(path, reader.all() as unknown as RateLimitRule);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidJobsOptionsError(path, `${expected} (${(error as Error).message})`, value);
  }
}

const WORKERS_RULE = 'true, false, { only: [queues] } or { except: [queues] }';

function resolveWorkedQueues(
  reader: OptionReader,
  queues: ReadonlyMap<string, ResolvedQueueOptions>,
): ReadonlySet<string> {
  const declared = [...queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
  const value = reader.raw('workers') ?? true;
  if (typeof value === 'boolean') return new Set(value ? [...declared, INTERNAL_QUEUE] : []);
  if (!isPlainObject(value)) throw new InvalidJobsOptionsError('workers', WORKERS_RULE, value);
  const selection = new OptionReader(value, 'workers', ['only', 'except']);
  const { only, except } = { only: selection.raw('only'), except: selection.raw('except') };
  if ((only === undefined) === (except === undefined)) {
    throw new InvalidJobsOptionsError('workers', WORKERS_RULE, value);
  }
  const path = selection.at(only === undefined ? 'except' : 'only');
  const names = only ?? except;
  if (!Array.isArray(names)) throw new InvalidJobsOptionsError(path, 'a list of queue names', names);
  for (const [n, name] of names.entries()) assertDeclaredQueue(name, `${path}[${n}]`, queues);
  const worked = declared.filter((name) => names.includes(name) === (only !== undefined));
  // Whoever works anything works the library's own queue, so that wherever there is a worker a canvas goes on.
  return new Set(worked.length > 0 ? [...worked, INTERNAL_QUEUE] : []);
}
