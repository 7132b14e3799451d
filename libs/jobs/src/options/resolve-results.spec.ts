import { join } from 'node:path';
import type { ResolvedConnection } from './jobs-options.js';
import { InvalidJobsOptionsError, UnknownJobsOptionError } from './jobs-options.error.js';
import { resolveResults } from './resolve-results.js';

const redis: ResolvedConnection = { kind: 'redis', redis: 'redis://localhost' };
const embedded = (dataDir: string): ResolvedConnection => ({ kind: 'embedded', dataDir, byDefault: false });
const store = { write() {}, read() {}, remove() {}, list() {} };
const client = { send() {} };

describe('the option results', () => {
  it('[A5] has files by default: beside the jobs of the embedded backend, in memory none that stay', () => {
    const directoryOf = (connection: ResolvedConnection) => resolveResults(undefined, connection).resultStore;
    expect(directoryOf(redis)).toEqual({ kind: 'files', directory: join('.jobs', 'results'), byDefault: true });
    expect(directoryOf(embedded('data'))).toMatchObject({ directory: join('data', 'results') });
    expect(directoryOf(embedded('memory://'))).toMatchObject({ kind: 'files', directory: undefined });
    expect(resolveResults(undefined, redis)).toMatchObject({ maxResultSize: 65_536, maxStoredSize: 1024 ** 3 });
  });

  it('[A5] takes a directory, a bucket, a table, a store of the app, or none', () => {
    const storeOf = (value: unknown) => resolveResults({ store: value }, embedded('data')).resultStore;
    expect(storeOf({ files: '/mnt/results' })).toEqual({ kind: 'files', directory: '/mnt/results', byDefault: false });
    expect(storeOf({ s3: { bucket: 'b', client } })).toEqual({
      kind: 's3',
      s3: { bucket: 'b', prefix: 'job-results/', client },
    });
    expect(storeOf('table')).toEqual({ kind: 'table' });
    expect(storeOf(store)).toEqual({ kind: 'custom', store });
    expect(storeOf(false)).toBeUndefined();
  });

  it.each([
    [{ store: true }, 'option "results.store" must be'],
    [{ store: 'files' }, 'option "results.store" must be'],
    [{ store: {} }, 'option "results.store" must be'],
    [{ store: { files: 'a', s3: { bucket: 'b', client } } }, 'option "results.store" must be'],
    [{ store: { files: '' } }, 'option "results.store.files" must be the path of a directory'],
    [{ store: { s3: { client } } }, 'option "results.store.s3.bucket" must be the name of a bucket'],
    [{ store: { s3: { bucket: 'b' } } }, 'option "results.store.s3.client" must be an S3Client'],
    [{ store: 'table' }, "must be another store than 'table' on Redis"],
    [{ maxSize: '1kb' }, 'option "results.maxSize" must be no less than results.inlineLimit'],
    [{ maxSize: 0 }, 'option "results.maxSize" must be a size above zero'],
  ])('[A5] refuses %j at boot', (results, says) => {
    expect(() => resolveResults(results, redis)).toThrow(InvalidJobsOptionsError);
    expect(() => resolveResults(results, redis)).toThrow(says);
  });

  it.each([{ stores: {} }, { store: { file: 'a' } }, { store: { s3: { bucket: 'b', client, region: 'x' } } }])(
    '[A5] refuses what it does not know: %j',
    (results) => {
      expect(() => resolveResults(results, redis)).toThrow(UnknownJobsOptionError);
    },
  );
});
