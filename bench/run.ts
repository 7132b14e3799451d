// npm run bench -- NAME: starts the stores, runs one bench, and prints a table and, last, its figures as one line of JSON.
import {
  readArguments,
  readChoices,
  readList,
  readNamed,
  readWholeNumber,
  runScript,
} from '../test/support/command-line.js';
import type { Bench, BenchRequest } from './bench.js';
import { boot } from './boot.js';
import { cancel } from './cancel.js';
import { canvas } from './canvas.js';
import { enqueue } from './enqueue.js';
import { failing } from './failing.js';
import { idle } from './idle.js';
import { latency } from './latency.js';
import { live } from './live.js';
import { observe } from './observe.js';
import { once } from './once.js';
import { overhead } from './overhead.js';
import { scale } from './scale.js';
import { schedules } from './schedules.js';
import { startStore, STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const BENCHES: Readonly<Record<string, Bench>> = {
  overhead,
  enqueue,
  latency,
  scale,
  failing,
  cancel,
  once,
  canvas,
  schedules,
  live,
  observe,
  boot,
  idle,
};

const USAGE = `npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([name, { about, backends }]) => `  ${name.padEnd(12)}${about} (${backends.join(', ')})`)
  .join('\n')}

  --backends LIST   other ones of ${STORE_NAMES.join(', ')}, with commas
  --rows LIST       only these rows of the table (overhead, enqueue, scale, failing, cancel, once, canvas,
                    schedules, live, observe)
  --variants LIST   only these variants, and raw (overhead, enqueue, scale, latency, failing, cancel, once, canvas,
                    schedules)
  --jobs N          timed jobs of one measurement (overhead, enqueue, latency, failing, cancel, once, live, observe),
                    or schedules
  --rounds N        how often everything is measured; the median counts
  --durable         Redis and Postgres answer only when what was written is on disk`;

interface CommandLine extends Omit<BenchRequest, 'stores'> {
  readonly name: string;
  readonly bench: Bench;
  readonly backends: readonly StoreName[];
  readonly durable: boolean;
}

function readCommandLine(): CommandLine {
  const text = { type: 'string' } as const;
  const { values, positionals } = readArguments({
    backends: text,
    rows: text,
    variants: text,
    jobs: text,
    rounds: text,
    durable: { type: 'boolean', default: false },
  });
  const [name, bench] = readNamed('bench', BENCHES, positionals);
  return {
    name,
    bench,
    backends: values.backends === undefined ? bench.backends : readChoices('backends', values.backends, bench.supports),
    jobs: readWholeNumber('jobs', values.jobs, 1),
    rounds: readWholeNumber('rounds', values.rounds, 1) ?? bench.rounds,
    rows: values.rows === undefined ? undefined : readList(values.rows),
    variants: values.variants === undefined ? undefined : readList(values.variants),
    durable: values.durable,
  };
}

async function main(): Promise<void> {
  const { name, bench, backends, durable, ...request } = readCommandLine();
  const stores: Store[] = [];
  try {
    for (const backend of backends) stores.push(await startStore(backend, durable));
    const { table, notes, ratios, rates } = await bench.run({ ...request, stores });
    console.log([table, ...notes].join('\n'));
    console.log(JSON.stringify({ bench: name, ratios, rates }));
  } finally {
    for (const store of stores) await store.stop();
  }
}

// Ended by a signal, a process runs no 'exit' listeners, and those remove what is left on the disk.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

await runScript(USAGE, main);
