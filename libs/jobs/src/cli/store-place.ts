import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliError, EXIT_CODES } from './exit-codes.js';

/** What the command line says of the store; what it leaves open the environment may say. @internal */
export interface PlaceFlags {
  readonly url?: string;
  readonly dataDir?: string;
  readonly namespace?: string;
}

/** @internal */
export interface StorePlace {
  readonly connection: { redis: string } | { postgres: string; migrate: false } | { embedded: { dataDir: string } };
  readonly namespace: string;
}

const REDIS = /^rediss?:\/\//;
const POSTGRES = /^postgres(ql)?:\/\//;

/** @throws {CliError} when there is no such place, or more than one. @internal */
export function readPlace(flags: PlaceFlags, env: NodeJS.ProcessEnv): StorePlace {
  const { url, dataDir } = readFlags(flags) ?? readEnvironment(env);
  const namespace = flags.namespace ?? (env['JOBS_NAMESPACE'] || 'jobs');
  if (dataDir !== undefined) return { connection: { embedded: { dataDir: requireStore(dataDir) } }, namespace };
  // Only the form of it may be told: it may be a password as a whole.
  if (REDIS.test(url!)) return { connection: { redis: url! }, namespace };
  if (POSTGRES.test(url!)) return { connection: { postgres: url!, migrate: false }, namespace };
  throw usage('The url must begin with redis://, rediss://, postgres:// or postgresql://.');
}

type Given = { readonly url?: string | undefined; readonly dataDir?: string | undefined };

function readFlags({ url, dataDir }: PlaceFlags): Given | undefined {
  if (url !== undefined && dataDir !== undefined) throw usage('Give --url or --data-dir, not both.');
  return url === undefined && dataDir === undefined ? undefined : { url, dataDir };
}

function readEnvironment(env: NodeJS.ProcessEnv): Given {
  const [url, dataDir] = [env['JOBS_URL'] || undefined, env['JOBS_DATA_DIR'] || undefined];
  // As the other way round an app with a server would be looked for in a directory.
  if (url !== undefined) return { url };
  if (dataDir !== undefined) return { dataDir };
  throw usage(
    'Where are the jobs? Set JOBS_URL to redis://..., rediss://..., postgres://... or postgresql://..., or JOBS_DATA_DIR ' +
      'to the directory of an embedded store; or say --url or --data-dir.',
  );
}

/** One that is not there would be made, and have no jobs. */
function requireStore(dataDir: string): string {
  const path = resolve(dataDir);
  if (existsSync(join(path, 'pgdata')) && !existsSync(join(path, 'initializing'))) return path;
  throw new CliError(`There is no embedded store in ${path}.`, EXIT_CODES.unavailable);
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
