import { join } from 'node:path';
import type { ResultStore } from '../results/result-store.js';
import type { S3ResultsOptions } from '../results/s3-results-options.js';
import { InvalidJobsOptionsError } from './jobs-options.error.js';
import type { ResolvedConnection, ResolvedResults, ResolvedResultStore } from './jobs-options.js';
import { isPlainObject, OptionReader } from './option-reader.js';

const HOUR = 3_600_000;
/** A hundred years: the store measures it, not a timer. */
const LONGEST_KEPT = 100 * 365 * 24 * HOUR;
const MEGABYTE = 1024 * 1024;

const STORE_RULE =
  "{ files: 'directory' }, { s3: { bucket, client } }, 'table' (on Postgres and embedded), an object with write, read, " +
  'remove and list, or false for none';

/** Checks the option `results`. @internal */
export function resolveResults(value: unknown, connection: ResolvedConnection): ResolvedResults {
  const keys = ['keepFor', 'keepFailedFor', 'inlineLimit', 'maxSize', 'store'];
  const reader = new OptionReader(value, 'results', keys);
  const maxResultSize = reader.byteSize('inlineLimit', 64 * 1024);
  const maxStoredSize = reader.byteSize('maxSize', 1024 * MEGABYTE);
  if (maxStoredSize < maxResultSize) {
    throw new InvalidJobsOptionsError('results.maxSize', 'no less than results.inlineLimit', reader.raw('maxSize'));
  }
  return {
    keepFor: reader.duration('keepFor', 24 * HOUR, LONGEST_KEPT),
    keepFailedFor: reader.duration('keepFailedFor', 7 * 24 * HOUR, LONGEST_KEPT),
    maxResultSize,
    maxStoredSize,
    resultStore: resolveStore(reader, connection),
  };
}

function resolveStore(reader: OptionReader, connection: ResolvedConnection): ResolvedResultStore | undefined {
  const value = reader.raw('store');
  const path = reader.at('store');
  if (value === false) return undefined;
  if (value === undefined) return { kind: 'files', directory: defaultDirectory(connection), byDefault: true };
  if (value === 'table') {
    if (connection.kind !== 'redis') return { kind: 'table' };
    throw new InvalidJobsOptionsError(path, "another store than 'table' on Redis, which has no tables", value);
  }
  if (isStore(value)) return { kind: 'custom', store: value };
  if (!isPlainObject(value)) throw new InvalidJobsOptionsError(path, STORE_RULE, value);
  const store = OptionReader.of(value, path, ['files', 's3'], STORE_RULE);
  const { files, s3 } = store.all();
  if ((files === undefined) === (s3 === undefined)) throw new InvalidJobsOptionsError(path, STORE_RULE, value);
  if (files === undefined) return { kind: 's3', s3: resolveS3(s3, store.at('s3')) };
  const directory = store.text('files', '', /[^\0]/, 'the path of a directory');
  return { kind: 'files', directory, byDefault: false };
}

function resolveS3(value: unknown, path: string): S3ResultsOptions {
  const expected = "an object like { bucket: 'results', client: new S3Client({}) }";
  const reader = OptionReader.of(value, path, ['bucket', 'prefix', 'client'], expected);
  const { client } = reader.all();
  if (typeof (client as S3ResultsOptions['client'] | undefined)?.send !== 'function') {
    throw new InvalidJobsOptionsError(reader.at('client'), 'an S3Client of @aws-sdk/client-s3', client);
  }
  if (reader.raw('bucket') === undefined) {
    throw new InvalidJobsOptionsError(reader.at('bucket'), 'the name of a bucket', undefined);
  }
  return {
    bucket: reader.text('bucket', '', /./, 'the name of a bucket'),
    prefix: reader.text('prefix', 'job-results/', /^[^\0]*$/, "text like 'job-results/'"),
    client: client as S3ResultsOptions['client'],
  };
}

/** Undefined: in memory, as the jobs. */
function defaultDirectory(connection: ResolvedConnection): string | undefined {
  if (connection.kind !== 'embedded') return join('.jobs', 'results');
  return connection.dataDir.startsWith('memory://') ? undefined : join(connection.dataDir, 'results');
}

function isStore(value: unknown): value is ResultStore {
  if (typeof value !== 'object' || value === null) return false;
  const store = value as Record<keyof ResultStore, unknown>;
  return (['write', 'read', 'remove', 'list'] as const).every((method) => typeof store[method] === 'function');
}
