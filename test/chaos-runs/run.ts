// npm run chaos -- NAME: starts stores, does to them and to their workers what NAME says, and prints last one line of JSON.
import { randomInt, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readArguments, readChoices, readNamed, readWholeNumber, runScript } from '../support/command-line.js';
import { backend } from './backend.js';
import type { ChaosReport, ChaosRequest, ChaosServer } from './chaos-run.js';
import { STORES, type StoreName } from './chaos-stores.js';
import { deploy } from './deploy.js';
import { embeddedProcess } from './embedded-process.js';
import { fence } from './fence.js';
import { freeze } from './freeze.js';
import { kill } from './kill.js';
import { partition } from './partition.js';
import { poison } from './poison.js';

/** What the command line says, whatever of it the run needs. */
interface Sizes extends ChaosRequest {
  readonly outages: readonly number[];
  readonly rolls: number;
  readonly seconds: number;
}

interface ChaosRun {
  readonly about: string;
  readonly jobs: number;
  readonly workers: number;
  readonly leastWorkers: number;
  readonly kills?: number;
  readonly killsStores?: boolean;
  readonly run: (request: Sizes, server: ChaosServer) => Promise<ChaosReport>;
  /** The embedded store has one process, which most runs can do nothing with. */
  readonly runEmbedded?: (request: Sizes) => Promise<ChaosReport>;
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
  fence: {
    about: 'a worker is stopped until others have the lock that it had',
    jobs: 10,
    workers: 3,
    leastWorkers: 2,
    run: fence,
  },
  poison: { about: 'jobs that kill their process in every run', jobs: 6, workers: 1, leastWorkers: 1, run: poison },
  backend: {
    about: 'the store is killed -9, and is back after a while',
    jobs: 2_000,
    workers: 3,
    leastWorkers: 1,
    kills: 5,
    killsStores: true,
    run: (request, server) => backend({ ...request, server }),
    runEmbedded: embeddedProcess,
  },
  deploy: {
    about: 'workers are replaced by SIGTERM, one after the other',
    jobs: 2_000,
    workers: 3,
    leastWorkers: 1,
    run: deploy,
  },
  partition: {
    about: 'the network between workers and store fails in many ways',
    jobs: 3_000,
    workers: 3,
    leastWorkers: 1,
    run: (request, server) => partition({ ...request, server }),
  },
};
const KILLS = 30;
const OUTAGES = [3, 30];
const ROLLS = 5;
const SECONDS = 60;
const MOST_IDS_SHOWN = 20;

const USAGE = `npm run chaos -- NAME [options]

${Object.entries(RUNS)
  .map(([name, { about, jobs, workers }]) => `  ${name.padEnd(11)}${about} (${jobs} jobs, ${workers} workers)`)
  .join('\n')}

  --seed N          the same choices as the run that printed this seed; default: drawn
  --backends LIST   some of ${Object.keys(STORES).join(', ')}, with commas; default: all that the run can be done on
  --jobs N          other than above; for freeze and fence the jobs that are frozen, for poison the poisoned ones
  --workers N       worker processes, other than above
  --kills N         of kill; default ${KILLS}. Of backend on embedded; default 5
  --outages LIST    of backend: for how many seconds the store is away each time; default ${OUTAGES.join(',')}
  --rolls N         of deploy: how often all workers are replaced; default ${ROLLS}
  --seconds N       of partition: how long the network fails; default ${SECONDS}`;

interface CommandLine extends Omit<Sizes, 'store' | 'workerModule'> {
  readonly name: string;
  readonly backends: readonly StoreName[];
}

function readCommandLine(): CommandLine {
  const text = { type: 'string' } as const;
  const options = { seed: text, backends: text, jobs: text, workers: text, kills: text };
  const sizes = { outages: text, rolls: text, seconds: text };
  const { values, positionals } = readArguments({ ...options, ...sizes });
  const [name, run] = readNamed('run', RUNS, positionals);
  const all = (Object.keys(STORES) as StoreName[]).filter((store) => store !== 'embedded' || run.runEmbedded);
  return {
    name,
    backends: values.backends === undefined ? all : readChoices('backends', values.backends, all),
    seed: readWholeNumber('seed', values.seed, 0) ?? randomInt(2 ** 31),
    jobs: readWholeNumber('jobs', values.jobs, 1) ?? run.jobs,
    workers: readWholeNumber('workers', values.workers, run.leastWorkers) ?? run.workers,
    kills: readWholeNumber('kills', values.kills, 1) ?? run.kills ?? KILLS,
    outages: values.outages === undefined ? OUTAGES : values.outages.split(',').map(readOutage),
    rolls: readWholeNumber('rolls', values.rolls, 1) ?? ROLLS,
    seconds: readWholeNumber('seconds', values.seconds, 1) ?? SECONDS,
  };
}

function readOutage(text: string): number {
  return readWholeNumber('outages', text, 1)!;
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
  name: StoreName,
  { run, runEmbedded, killsStores = false }: ChaosRun,
  sizes: Omit<Sizes, 'store' | 'workerModule'>,
): Promise<ChaosReport> {
  const { connection, server, stop } = await STORES[name](killsStores);
  try {
    const store = { connection, namespace: `chaos_${randomUUID().replaceAll('-', '')}` };
    const request = { ...sizes, store, workerModule: new URL('./worker.js', import.meta.url) };
    return await (server ? run(request, server) : runEmbedded!(request));
  } finally {
    await stop();
  }
}

// Ended by a signal, a process runs no 'exit' listeners, and those end the workers and the stores.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

await runScript(USAGE, main);
