// npm run bench -- NAME: starts the stores, runs one bench, and prints a table and, last, its figures as one line of JSON.
import { parseArgs } from 'node:util';
import { UsageError, type Bench, type BenchRequest } from './bench.js';
import { boot } from './boot.js';
import { enqueue } from './enqueue.js';
import { idle } from './idle.js';
import { latency } from './latency.js';
import { overhead } from './overhead.js';
import { scale } from './scale.js';
import { isStoreName, startStore, STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const BENCHES: Readonly<Record<string, Bench>> = { overhead, enqueue, latency, scale, boot, idle };

const USAGE = `npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([name, { about, backends }]) => `  ${name.padEnd(12)}${about} (${backends.join(', ')})`)
  .join('\n')}

  --backends LIST   other ones of ${STORE_NAMES.join(', ')}, with commas
  --rows LIST       only these rows of the table (overhead, enqueue, scale)
  --variants LIST   only these variants, and raw (overhead, enqueue, scale, latency)
  --jobs N          timed jobs of one measurement (overhead, enqueue, latency)
  --rounds N        how often everything is measured; the median counts
  --durable         Redis and Postgres answer only when what was written is on disk`;

interface CommandLine extends Omit<BenchRequest, 'stores'> {
  readonly name: string;
  readonly bench: Bench;
  readonly backends: readonly StoreName[];
  readonly durable: boolean;
}

function readCommandLine(): CommandLine {
  const { values, positionals } = parse();
  const [name = '', ...extra] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined || extra.length > 0) {
    throw new UsageError(`Name one bench of ${Object.keys(BENCHES).join(', ')}, not "${positionals.join(' ')}".`);
  }
  return {
    name,
    bench,
    backends: values.backends === undefined ? bench.backends : readBackends(values.backends, bench),
    jobs: values.jobs === undefined ? undefined : readCount('jobs', values.jobs),
    rounds: values.rounds === undefined ? bench.rounds : readCount('rounds', values.rounds),
    rows: values.rows === undefined ? undefined : readList(values.rows),
    variants: values.variants === undefined ? undefined : readList(values.variants),
    durable: values.durable,
  };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        backends: { type: 'string' },
        rows: { type: 'string' },
        variants: { type: 'string' },
        jobs: { type: 'string' },
        rounds: { type: 'string' },
        durable: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readBackends(list: string, { supports }: Bench): StoreName[] {
  const asked = readList(list);
  const known = asked.filter(isStoreName).filter((name) => supports.includes(name));
  if (known.length < asked.length) {
    throw new UsageError(`--backends takes some of ${supports.join(', ')} here, not "${list}".`);
  }
  return known;
}

function readList(list: string): string[] {
  return [...new Set(list.split(',').map((name) => name.trim()))];
}

function readCount(option: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError(`--${option} takes a whole number above zero, not "${text}".`);
  }
  return count;
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

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
