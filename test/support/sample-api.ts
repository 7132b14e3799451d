import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { JobStatus } from 'nestjs-jobs';
import { embeddedIn, ownNamespace, postgresUrl, redisUrl, type TestBackend } from './backends.js';
import { spawnSampleApi, type ChildHandle } from './child-process.js';
import { eventually } from './eventually.js';

const PGLITE = fileURLToPath(new URL('../../node_modules/@electric-sql/pglite/package.json', import.meta.url));

/** A running sample API, in a directory of its own. */
export interface SampleApi {
  readonly url: string;
  readonly process: ChildHandle;
  readonly directory: string;
  /** Stops it as an operator would, and removes what it stored. */
  stop(): Promise<void>;
}

export function sampleEnvironment(backend: TestBackend, directory: string): NodeJS.ProcessEnv {
  return {
    PORT: '0',
    REPORTS_DIR: join(directory, 'reports'),
    PAYMENTS_DIR: join(directory, 'payments'),
    IMPORTS_DIR: join(directory, 'imports'),
    // Specs share a server and run at the same time, and workers take what they find.
    JOBS_NAMESPACE: basename(directory).toLowerCase().replaceAll(/\W/g, '_'),
    ...storeEnvironment(backend, directory),
  };
}

function storeEnvironment(backend: TestBackend, directory: string): NodeJS.ProcessEnv {
  switch (backend.name) {
    case 'embedded':
      return { JOBS_DATA_DIR: dataDirectoryIn(directory), JOBS_NAMESPACE: ownNamespace(backend) };
    case 'redis':
      return { JOBS_URL: redisUrl() };
    case 'postgres':
      return { JOBS_URL: postgresUrl() };
  }
}

const dataDirectoryIn = (directory: string): string => join(directory, 'jobs');

/** As a boot leaves it. To make it, with initdb, takes as much CPU time as all the rest of a boot. */
async function makeDatabase(dataDir: string): Promise<void> {
  const { template } = embeddedIn(dataDir).embedded;
  const { version } = JSON.parse(await readFile(PGLITE, 'utf8')) as { version: string };
  const files = join(dataDir, 'pgdata');
  await mkdir(files, { recursive: true, mode: 0o700 });
  await promisify(execFile)('tar', ['-xf', join(template, `pglite-${version}.tar`), '-C', files]);
}

/** @param beside - one that runs or ran: the new one shares its store and its folders, and leaves both when it stops. */
export async function startSampleApi(
  backend: TestBackend,
  env: NodeJS.ProcessEnv = {},
  beside?: SampleApi,
): Promise<SampleApi> {
  const directory = beside?.directory ?? (await mkdtemp(join(tmpdir(), 'sample-api-')));
  if (!beside && backend.name === 'embedded') await makeDatabase(dataDirectoryIn(directory));
  const process = spawnSampleApi('main', { env: { ...sampleEnvironment(backend, directory), ...env } });
  const [, url] = await process.waitForLine(/^Sample API: (http:\/\/localhost:\d+)/, { timeout: 60_000 });
  return {
    url: url!,
    process,
    directory,
    async stop() {
      await process.kill('SIGTERM');
      if (!beside) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Polls a job as a client does, until it has ended; gives every status that was seen. */
export async function pollUntilEnded(url: string, pollUrl: string, interval = 10): Promise<JobStatus[]> {
  const seen: JobStatus[] = [];
  await eventually(
    async () => {
      const response = await fetch(url + pollUrl);
      expect(response.status).toBe(200);
      seen.push((await response.json()) as JobStatus);
      return seen.at(-1)!.terminal;
    },
    { timeout: 60_000, interval },
  );
  return seen;
}
