import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from '@nestjs/common';
import type { QueueBackend } from '../backend/queue-backend.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { ResolvedJobsOptions, ResolvedResultStore } from '../options/jobs-options.js';
import { FileResultStore } from './file-result-store.js';
import { PrefixedResultStore } from './prefixed-result-store.js';
import type { ResultStore } from './result-store.js';

/** Where large results are, of which every app has a part of its own. @internal */
export interface ResultStores {
  /** For messages. */
  readonly place: string;
  /** Tells what other machines do not look in from what they do. */
  readonly claim?: string;
  /** @param home - lower-case letters and digits. */
  in(home: string): ResultStore;
  close(): Promise<void>;
}

/** Provides {@link ResultStores}, or undefined when there is to be none. @internal */
export const RESULT_STORES = Symbol.for('nestjs-jobs:result-stores');

/** @throws {MissingPeerError} when a package is not installed; {InvalidJobsOptionsError} @internal */
export async function openResultStores(
  { resultStore, connection }: ResolvedJobsOptions,
  backend: QueueBackend,
  logger: Pick<Logger, 'warn'>,
): Promise<ResultStores | undefined> {
  switch (resultStore?.kind) {
    case undefined:
      return undefined;
    case 'files':
      if (resultStore.byDefault && connection.kind !== 'embedded') warnInProduction(resultStore.directory!, logger);
      return resultStore.directory === undefined ? temporary() : inFiles(resultStore);
    case 's3': {
      const { openS3ResultStore } = await import('./s3-result-store.js');
      const { s3 } = resultStore;
      const store = await openS3ResultStore(s3);
      return { place: `the bucket ${s3.bucket}`, in: (home) => store.within(`${home}/`), close: async () => {} };
    }
    case 'table': {
      const { resultTable } = backend;
      if (!resultTable) throw new InvalidJobsOptionsError('results.store', 'another store than a table', 'table');
      // The table is in the schema of the jobs.
      return { place: 'the table of results', in: () => resultTable, close: async () => {} };
    }
    case 'custom': {
      const { store } = resultStore;
      return {
        place: 'results.store',
        in: (home) => new PrefixedResultStore(store, `${home}-`),
        close: async () => {},
      };
    }
  }
}

function inFiles({ directory, byDefault }: ResolvedResultStore & { kind: 'files' }): ResultStores {
  const root = resolve(directory!);
  let ignored: Promise<void> | undefined;
  const inHome = (home: string): ResultStore => {
    const store: ResultStore = new FileResultStore(join(root, home));
    if (!byDefault) return store;
    const write = store.write.bind(store);
    return Object.assign(store, {
      async write(...args: Parameters<ResultStore['write']>) {
        // Beside the sources it would be committed.
        await (ignored ??= ignoreIn(root));
        return write(...args);
      },
    });
  };
  const stores = { place: `the directory ${root}`, in: inHome, close: async () => {} };
  return byDefault ? { ...stores, claim: claimOf(root) } : stores;
}

/** Nobody said that it is shared: then each machine has results of its own there, which no other one would remove. */
function claimOf(root: string): string {
  return `results-${createHash('sha256').update(`${hostname()} ${root}`).digest('hex').slice(0, 16)}`;
}

async function ignoreIn(directory: string): Promise<void> {
  const made = mkdir(directory, { recursive: true, mode: 0o700 });
  // The results themselves will say what is wrong with the directory.
  await made.then(() => writeFile(join(directory, '.gitignore'), '*\n', { flag: 'wx' })).catch(() => {});
}

/** For jobs in memory: what they leave is of no use to the next process. */
function temporary(): ResultStores {
  const root = join(tmpdir(), `nestjs-jobs-results-${randomBytes(8).toString('hex')}`);
  return {
    place: `the directory ${root}`,
    in: (home) => new FileResultStore(join(root, home)),
    close: () => rm(root, { recursive: true, force: true }),
  };
}

function warnInProduction(directory: string, logger: Pick<Logger, 'warn'>): void {
  if (process.env['NODE_ENV'] !== 'production') return;
  logger.warn(
    `Results larger than results.inlineLimit are kept in files in ${resolve(directory)}, which other machines cannot ` +
      'read. Set results.store: to that directory if all processes share it, else to a bucket or a table.',
  );
}
