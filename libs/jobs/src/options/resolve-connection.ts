import { InvalidJobsOptionsError } from './jobs-options.error.js';
import type { JobsModuleOptions, ResolvedConnection } from './jobs-options.js';
import { isPlainObject, OptionReader } from './option-reader.js';

const CONNECTION_RULE =
  "a url like 'redis://host:6379' or 'postgres://user@host/database', { redis }, { postgres }, " +
  'or { embedded: { dataDir } } - leave the key out for the embedded default';

type RedisConnection = Extract<ResolvedConnection, { kind: 'redis' }>;
type PostgresConnection = Extract<ResolvedConnection, { kind: 'postgres' }>;

/** Checks the option `connection`. @internal */
export function resolveConnection(options: JobsModuleOptions, env: NodeJS.ProcessEnv): ResolvedConnection {
  if (!('connection' in options)) {
    if (env['NODE_ENV'] === 'production') {
      throw new InvalidJobsOptionsError(
        'connection',
        "given with NODE_ENV=production: 'redis://...', 'postgres://...', or { embedded: { dataDir } } if one process with jobs on its own disk is what you want",
        undefined,
      );
    }
    return { kind: 'embedded', dataDir: '.jobs', byDefault: true };
  }
  const connection: unknown = options.connection;
  if (typeof connection === 'string') return resolveUrl(connection);
  if (!isPlainObject(connection)) throw new InvalidJobsOptionsError('connection', CONNECTION_RULE, connection);
  const reader = new OptionReader(connection, 'connection', ['redis', 'postgres', 'migrate', 'embedded']);
  const [kind, ...others] = (['redis', 'postgres', 'embedded'] as const).filter((key) => reader.raw(key) !== undefined);
  if (kind === undefined || others.length > 0 || (kind !== 'postgres' && reader.raw('migrate') !== undefined)) {
    throw new InvalidJobsOptionsError('connection', CONNECTION_RULE, connection);
  }
  if (kind === 'embedded') return resolveEmbedded(reader.raw('embedded'));
  return kind === 'redis' ? resolveRedis(reader.raw('redis')) : resolvePostgres(reader);
}

function resolveUrl(url: string): ResolvedConnection {
  if (isPostgresUrl(url)) return { kind: 'postgres', target: url, migrate: true };
  if (isRedisUrl(url)) return { kind: 'redis', redis: url };
  throw new InvalidJobsOptionsError('connection', CONNECTION_RULE, url);
}

function resolveEmbedded(embedded: unknown): ResolvedConnection {
  const reader = new OptionReader(embedded, 'connection.embedded', ['dataDir', 'template']);
  const dataDir = reader.text('dataDir', '.jobs', /./, 'a path');
  if (reader.raw('template') === undefined) return { kind: 'embedded', dataDir, byDefault: false };
  const template = reader.text('template', '', /./, 'a path');
  return { kind: 'embedded', dataDir, template, byDefault: false };
}

function resolveRedis(redis: unknown): RedisConnection {
  const refused = (expected: string) => new InvalidJobsOptionsError('connection.redis', expected, redis);
  if (typeof redis === 'string') {
    if (!isRedisUrl(redis)) throw refused("a url like 'redis://host:6379'");
    return { kind: 'redis', redis };
  }
  const isClient = isRedisClient(redis);
  if (!isClient && !isPlainObject(redis)) throw refused('a url, an object of ioredis options, or an ioredis client');
  if (!isClient && 'url' in redis) throw refused('free of the key `url`: pass the url as a string, { redis: url }');
  const options = (isClient ? redis.options : redis) as RedisPrefixes | undefined;
  if (options?.keyPrefix || options?.redisOptions?.keyPrefix) {
    throw refused('without `keyPrefix`: use the option `namespace`');
  }
  return { kind: 'redis', redis: redis as RedisConnection['redis'] };
}

function resolvePostgres(reader: OptionReader): PostgresConnection {
  const postgres = reader.raw('postgres');
  const migrate = reader.raw('migrate') ?? true;
  const refused = (expected: string) => new InvalidJobsOptionsError('connection.postgres', expected, postgres);
  if (typeof migrate !== 'boolean') {
    throw new InvalidJobsOptionsError('connection.migrate', 'true or false', migrate);
  }
  if (typeof postgres === 'string') {
    if (!isPostgresUrl(postgres)) throw refused("a url like 'postgres://user@host:5432/database'");
  } else if (!isPlainObject(postgres) && !isPostgresPool(postgres)) {
    throw refused(
      'a url, an object of options for a pg.Pool, or a pg.Pool; not a single client, which cannot be shared',
    );
  } else if (isPlainObject(postgres) && 'url' in postgres) {
    throw refused('free of the key `url`: pass the url as a string, or as `connectionString`');
  } else if (isPlainObject(postgres) && !hasUsableUrl(postgres)) {
    throw refused("an object whose `connectionString` is a url like 'postgres://user@host:5432/database'");
  }
  return { kind: 'postgres', target: postgres as PostgresConnection['target'], migrate };
}

interface RedisPrefixes {
  keyPrefix?: string;
  /** Of a cluster. */
  redisOptions?: { keyPrefix?: string };
}

/** Not by its class: an app's ioredis may be another copy. */
function isRedisClient(value: unknown): value is { options?: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const client = value as Record<string, unknown>;
  return typeof client['duplicate'] === 'function' && typeof client['defineCommand'] === 'function';
}

/** Not by its class either. */
function isPostgresPool(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const pool = value as Record<string, unknown>;
  return typeof pool['connect'] === 'function' && typeof pool['totalCount'] === 'number';
}

/** One that is no url would stand in log lines as the host's name, password and all. */
function hasUsableUrl({ connectionString }: Record<string, unknown>): boolean {
  return connectionString === undefined || (typeof connectionString === 'string' && isPostgresUrl(connectionString));
}

function isRedisUrl(url: string): boolean {
  return /^rediss?:\/\/./.test(url) && URL.canParse(url);
}

function isPostgresUrl(url: string): boolean {
  // Without a host it means a unix socket, which node-postgres takes and URL does not.
  return /^postgres(ql)?:\/\/./.test(url) && URL.canParse(url.replace('@/', '@socket/').replace(':///', '://socket/'));
}
