import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import { assertKnown, BASE, Comparison, CONTROL, ROW_PREFIX, type RatePair, type Row } from './support/comparison.js';
import { measureCanvases, measurePings, type LongestPings, type Task } from './support/measure-canvases.js';
import type { ChordsRequest, StoredBytes } from './support/store-chords.js';
import { STORE_NAMES, type Store, type StoreAddress, type StoreName } from './support/stores.js';
import type { StreamReport, StreamRequest } from './support/stream-members.js';

const OURS = 'ours';

const TASKS = {
  chord1000: { shape: 'chord', warmUp: { count: 6, size: 1_000 }, timed: { count: 6, size: 1_000 } },
  chord10000: { shape: 'chord', warmUp: { count: 6, size: 1_000 }, timed: { count: 1, size: 10_000 } },
  chain50: { shape: 'chain', warmUp: { count: 50, size: 50 }, timed: { count: 60, size: 50 } },
  spawned_group: { shape: 'spawned', warmUp: { count: 25, size: 200 }, timed: { count: 25, size: 200 } },
} as const satisfies Record<string, Task>;

/** Of a chord of 1,000 on Postgres, which takes longer than all of Redis. */
const FEWER: Task = { shape: 'chord', warmUp: { count: 2, size: 1_000 }, timed: { count: 1, size: 1_000 } };

const ROWS: Record<StoreName, Readonly<Record<string, Task>>> = {
  redis: TASKS,
  postgres: { chord1000: FEWER },
  embedded: { chord1000: FEWER },
};

/** Chords in a chain, and members of each. */
const CHORDS = [2, 4, 8, 16] as const;
const MEMBERS = 10;

const STREAMED = 100_000;
const STREAM_WARM_UP = 5_000;

/** Rows that compare no rates, on Redis. */
const APART: readonly string[] = ['stored_bytes', 'streamed', 'longest_ping'];

/** What canvases cost beside flows written by hand, and what they store, keep in memory, and let others wait. */
export const canvas: Bench = {
  about: 'chords, chains and groups behind a step against raw flows; stored bytes, memory and pings',
  backends: ['redis', 'postgres'],
  supports: STORE_NAMES,
  rounds: 5,

  async run({ stores, rounds, rows, variants }: BenchRequest): Promise<BenchResult> {
    const all = stores.flatMap(rowsOf);
    const redis = stores.find(({ name }) => name === 'redis');
    const apart = redis ? APART : [];
    assertKnown('rows', rows, new Set([...all.map(({ name }) => name), ...apart]));
    const isChosen = (row: string): boolean => rows?.includes(row) ?? true;
    const compared = all.filter(({ name }) => isChosen(name));
    const comparison = await Comparison.of(compared, { rounds, rows: undefined, variants });
    const others = apart.filter(isChosen);
    const bytes = others.includes('stored_bytes') ? await measureBytes(redis!) : undefined;
    const memory = others.includes('streamed') ? await measureMemory(redis!) : undefined;
    const pings = others.includes('longest_ping') ? await measurePings(redis!, rounds, TASKS.chord10000) : undefined;
    return {
      table: compared.length > 0 ? comparison.table() : '',
      notes: [
        'The table compares rates, the ratios below times: ours to raw, smaller is better.',
        ...(bytes ? [bytesInWords(bytes)] : []),
        ...(memory ? [memoryInWords(memory)] : []),
        ...(pings ? [pingsInWords(pings)] : []),
      ],
      ratios: {
        ...comparison.ratios(Object.fromEntries(stores.flatMap(wantedOf))),
        ...(bytes && { bytes_linear: growthOf(bytes) }),
      },
      rates: {
        ...comparison.absolutes(),
        ...(bytes && {
          bytes_per_chord_at_start: perChord(bytes, 'atStart'),
          bytes_per_chord_at_end: perChord(bytes, 'atEnd'),
        }),
        ...(memory && { streamed_100000_mb: { idle: tenths(memory.idle), above_idle: tenths(aboveIdle(memory)) } }),
        ...(pings && { chord10000_longest_ping_ms: pings }),
      },
    };
  },
};

function rowsOf(store: Store): Row[] {
  return Object.entries(ROWS[store.name]).map(([name, task]) => ({
    name: ROW_PREFIX[store.name] + name,
    variants: [BASE, CONTROL, OURS],
    measure: (variant) => measureCanvases(store, variant === OURS ? 'ours' : 'raw', task),
  }));
}

function wantedOf({ name: store }: Store): [name: string, pair: RatePair][] {
  return Object.keys(ROWS[store]).flatMap((name): [string, RatePair][] => {
    const row = ROW_PREFIX[store] + name;
    // The rate of raw to ours is the time of ours to raw.
    return [
      [row, { row, of: BASE, to: OURS }],
      [`aa_${row}`, { row, of: BASE, to: CONTROL }],
    ];
  });
}

/** By the number of chords. */
type Bytes = ReadonlyMap<number, StoredBytes>;

async function measureBytes(redis: Store): Promise<Bytes> {
  const bytes = new Map<number, StoredBytes>();
  for (const chords of CHORDS) {
    await redis.clear();
    const request: ChordsRequest = { store: addressOf(redis), chords, members: MEMBERS };
    bytes.set(chords, await runAlone(new URL('./support/store-chords.js', import.meta.url), request));
  }
  return bytes;
}

async function measureMemory(redis: Store): Promise<StreamReport> {
  await redis.clear();
  const request: StreamRequest = { store: addressOf(redis), warmUp: STREAM_WARM_UP, members: STREAMED };
  return runAlone(new URL('./support/stream-members.js', import.meta.url), request);
}

function addressOf({ name, location }: Store): StoreAddress {
  return { name, location };
}

/** Bytes per chord of the longest chain to those of the shortest; the worse of before and after it has run. */
function growthOf(bytes: Bytes): number {
  const [fewest, most] = [CHORDS[0], CHORDS.at(-1)!];
  const growth = (key: keyof StoredBytes): number => bytes.get(most)![key] / most / (bytes.get(fewest)![key] / fewest);
  return Number(Math.max(growth('atStart'), growth('atEnd')).toFixed(3));
}

function perChord(bytes: Bytes, key: keyof StoredBytes): Record<string, number> {
  return Object.fromEntries([...bytes].map(([chords, stored]) => [chords, Math.round(stored[key] / chords)]));
}

function aboveIdle({ most, idle }: StreamReport): number {
  return most - idle;
}

function tenths(value: number): number {
  return Number(value.toFixed(1));
}

function bytesInWords(bytes: Bytes): string {
  const [atStart, atEnd] = [perChord(bytes, 'atStart'), perChord(bytes, 'atEnd')];
  const each = CHORDS.map((chords) => `${atStart[chords]} and ${atEnd[chords]} of ${chords}`);
  return `Stored bytes per chord of ${MEMBERS} members, before and after the chain has run: ${each.join(', ')}.`;
}

function memoryInWords(memory: StreamReport): string {
  const [above, idle] = [aboveIdle(memory), memory.idle].map((size) => `${size.toFixed(0)} MB`);
  return `While ${STREAMED.toLocaleString('en-US')} members were streamed, the producer had ${above} more than the ${idle} at rest.`;
}

function pingsInWords({ ours, raw, rest }: LongestPings): string {
  const [during, beside, alone] = [ours, raw, rest].map((time) => `${time.toFixed(1)} ms`);
  return `chord10000: the longest PING of somebody else took ${during} during ours, ${beside} during raw, ${alone} at rest.`;
}
