// npm run chaos -- NAME: starts stores, kills or freezes what works on them, and prints last one line of JSON.
import { randomInt, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readArguments, readChoices, readNamed, readWholeNumber, runScript } from '../support/command-line.js';
import { startPostgres } from '../support/services/postgres.mjs';
import { startRedis } from '../support/services/redis.mjs';
import type { ChaosReport, ChaosRequest } from './chaos-run.js';
import { freeze } from './freeze.js';
import { kill } from './kill.js';
import { poison } from './poison.js';

interface ChaosRun {
  readonly about: string;
  readonly jobs: number;
  readonly workers: number;
  readonly leastWorkers: number;
  readonly run: (request: ChaosRequest) => Promise<ChaosReport>;
}

const RUNS: Readonly<Record<string, ChaosRun>> = {
  kill: {
    about: 'random workers are killed -9 while jobs are enqueued',
    jobs: 3_000,
    workers: 3,
    leastWorkers: 1,
    run: kill,
  },
  freeze: {
    about: 'a worker is stopped until another one has its job',
    jobs: 10,
    workers: 2,
    leastWorkers: 2,
    run: freeze,
  },
  poison: { about: 'jobs that kill their process in every run', jobs: 6, workers: 1, leastWorkers: 1, run: poison },
};
const KILLS = 30;
const MOST_IDS_SHOWN = 20;

const STORES = {
  redis: () => startRedis(),
  postgres: () => startPostgres(),
} as const;
type StoreName = keyof typeof STORES;

const USAGE = `npm run chaos -- NAME [options]

${Object.entries(RUNS)
  .map(([name, { about, jobs, workers }]) => `  ${name.padEnd(8)}${about} (${jobs} jobs, ${workers} workers)`)
  .join('\n')}

  --seed N          the same choices as the run that printed this seed; default: drawn
  --backends LIST   some of ${Object.keys(STORES).join(', ')}, with commas; default: all
  --jobs N          other than above; for freeze the jobs that are frozen, for poison the poisoned ones
  --workers N       worker processes, other than above
  --kills N         of kill; default ${KILLS}`;

interface CommandLine extends Omit<ChaosRequest, 'store' | 'workerModule'> {
  readonly name: string;
  readonly backends: readonly StoreName[];
}

function readCommandLine(): CommandLine {
  const text = { type: 'string' } as const;
  const options = { seed: text, backends: text, jobs: text, workers: text, kills: text };
  const { values, positionals } = readArguments(options);
  const [name, run] = readNamed('run', RUNS, positionals);
  const all = Object.keys(STORES) as StoreName[];
  return {
    name,
    backends: values.backends === undefined ? all : readChoices('backends', values.backends, all),
    seed: readWholeNumber('seed', values.seed, 0) ?? randomInt(2 ** 31),
    jobs: readWholeNumber('jobs', values.jobs, 1) ?? run.jobs,
    workers: readWholeNumber('workers', values.workers, run.leastWorkers) ?? run.workers,
    kills: readWholeNumber('kills', values.kills, 1) ?? KILLS,
  };
}

async function main(): Promise<void> {
  const { name, backends, ...request } = readCommandLine();
  const counts: Record<string, Readonly<Record<string, number>>> = {};
  const broken: { backend: string; promise: string; jobs: readonly string[] }[] = [];
  for (const backend of backends) {
    const began = performance.now();
    console.error(`${name} on ${backend}, seed ${request.seed} ...`);
    const report = await runOn(backend, RUNS[name]!, request).catch(failedToRun);
    counts[backend] = { ...report.counts, seconds: Math.round((performance.now() - began) / 1000) };
    for (const { promise, jobs } of report.broken) {
      broken.push({ backend, promise, jobs: jobs.slice(0, MOST_IDS_SHOWN) });
      console.log(
        `BROKEN on ${backend}: ${promise}. Not for ${jobs.length}: ${jobs.slice(0, MOST_IDS_SHOWN).join(', ')}`,
      );
    }
    if (report.broken.length > 0) console.log(`The ledger and the workers' output are in ${report.directory}`);
    else rmSync(report.directory, { recursive: true, force: true });
    console.table(counts[backend]);
  }
  if (broken.length > 0) process.exitCode = 1;
  console.log(JSON.stringify({ chaos: name, seed: request.seed, ok: broken.length === 0, counts, broken }));
}

/** It waited in vain for something that a promise would have brought. */
function failedToRun(error: Error): ChaosReport {
  console.error(error);
  return { counts: {}, broken: [{ promise: 'The run comes to its end', jobs: [error.message] }], directory: tmpdir() };
}

async function runOn(
  backend: StoreName,
  { run }: ChaosRun,
  request: Omit<ChaosRequest, 'store' | 'workerModule'>,
): Promise<ChaosReport> {
  const server = await STORES[backend]();
  try {
    const store = { connection: server.url, namespace: `chaos_${randomUUID().replaceAll('-', '')}` };
    return await run({ ...request, store, workerModule: new URL('./worker.js', import.meta.url) });
  } finally {
    await server.stop();
  }
}

// Ended by a signal, a process runs no 'exit' listeners, and those end the workers and the stores.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

await runScript(USAGE, main);
