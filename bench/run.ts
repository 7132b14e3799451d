// npm run bench -- NAME: starts the stores, runs one bench, and prints a table and, last, its figures as one line of JSON.
import { parseArgs } from 'node:util';
import type { Bench } from './bench.js';
import { overhead } from './overhead.js';
import { isStoreName, startStore, STORE_NAMES, type Store, type StoreName } from './support/stores.js';

const BENCHES: Readonly<Record<string, Bench>> = { overhead };

const USAGE = `npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  .join('\n')}

  --backends LIST   of ${STORE_NAMES.join(', ')}, with commas (redis)
  --jobs N          timed jobs of one measurement (as many as suit the backend)
  --rounds N        how often everything is measured; the median counts (9)
  --durable         Redis and Postgres answer only when what was written is on disk`;

class UsageError extends Error {}

interface CommandLine {
  readonly name: string;
  readonly bench: Bench;
  readonly backends: readonly StoreName[];
  readonly jobs: number | undefined;
  readonly rounds: number;
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
    backends: readBackends(values.backends),
    jobs: values.jobs === undefined ? undefined : readCount('jobs', values.jobs),
    rounds: readCount('rounds', values.rounds),
    durable: values.durable,
  };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        backends: { type: 'string', default: 'redis' },
        jobs: { type: 'string' },
        rounds: { type: 'string', default: '9' },
        durable: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readBackends(list: string): StoreName[] {
  const asked = [...new Set(list.split(',').map((name) => name.trim()))];
  const known = asked.filter(isStoreName);
  if (known.length < asked.length) {
    throw new UsageError(`--backends takes some of ${STORE_NAMES.join(', ')}, not "${list}".`);
  }
  return known;
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
