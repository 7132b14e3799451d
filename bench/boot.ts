import Table from 'cli-table3';
import type { Bench, BenchRequest, BenchResult } from './bench.js';
import { runAlone } from './support/alone.js';
import type { BootReport, BootRequest } from './support/boot-app.js';
import { median, rotated } from './support/rounds.js';
import type { Store } from './support/stores.js';

const VARIANTS = ['none', 'none-again', 'empty', 'tasks'] as const;
type Variant = (typeof VARIANTS)[number];

/** What of a boot is compared. */
const PARTS: Record<'load' | 'boot' | 'both' | 'cpu', (report: BootReport) => number> = {
  load: ({ load }) => load,
  boot: ({ boot }) => boot,
  both: ({ load, boot }) => load + boot,
  cpu: ({ cpu }) => cpu,
};
type Part = keyof typeof PARTS;

/** What 200 tasks in 5 queues add to the boot of an app. */
export const boot: Bench = {
  about: 'booting an app with 200 tasks in 5 queues, against the same app without',
  backends: ['redis'],
  supports: ['redis', 'postgres'],
  rounds: 11,

  async run({ stores, rounds }: BenchRequest): Promise<BenchResult> {
    const store = stores[0]!;
    await store.clear();
    // The first boot with Postgres makes the tables, which is done once and not at each boot.
    await measure(store, 'tasks');
    const series = new Map<Variant, BootReport[]>(VARIANTS.map((variant) => [variant, []]));
    for (let round = 0; round < rounds; round++) {
      for (const variant of rotated(VARIANTS, round)) {
        const report = await measure(store, variant);
        series.get(variant)!.push(report);
        const figures = `load ${report.load.toFixed(0)} ms  boot ${report.boot.toFixed(0)} ms`;
        console.error(`round ${round + 1}/${rounds}  ${variant}  ${figures}`);
      }
    }
    const added = (variant: Variant, part: Part) =>
      medianOver(series, variant, (report, none) => PARTS[part](report) - PARTS[part](none));
    const ratio = (variant: Variant, part: Part) =>
      medianOver(series, variant, (report, none) => PARTS[part](report) / PARTS[part](none));
    return {
      table: tableOf(series, added),
      notes: [
        'Milliseconds. load: importing Nest and, but for none, this library. boot: from there until the workers run.',
        'added: in boot, over none. "none" is the same app without this library, "empty" has it and 5 queues, but no task.',
      ],
      ratios: {
        boot: ratio('tasks', 'both'),
        boot_empty: ratio('empty', 'both'),
        aa: ratio('none-again', 'both'),
      },
      rates: {
        added_boot_ms: {
          tasks: added('tasks', 'boot'),
          empty: added('empty', 'boot'),
          aa: added('none-again', 'boot'),
        },
        added_with_load_ms: {
          tasks: added('tasks', 'both'),
          empty: added('empty', 'both'),
          aa: added('none-again', 'both'),
        },
        ...ratesOf(series),
      },
    };
  },
};

function measure(store: Store, variant: Variant): Promise<BootReport> {
  return runAlone<BootRequest, BootReport>(new URL('./support/boot-app.js', import.meta.url), {
    variant: variant === 'none-again' ? 'none' : variant,
    store: { name: store.name, location: store.location },
  });
}

type Series = ReadonlyMap<Variant, readonly BootReport[]>;

/** The median of what the rounds say. */
function medianOver(
  series: Series,
  variant: Variant,
  compare: (report: BootReport, none: BootReport) => number,
): number {
  const none = series.get('none')!;
  return Number(median(series.get(variant)!.map((report, round) => compare(report, none[round]!))).toFixed(3));
}

function ratesOf(series: Series): Record<string, Record<string, number>> {
  return Object.fromEntries(
    Object.entries(PARTS).map(([part, of]) => {
      const medians = [...series].map(([variant, reports]) => [variant, Math.round(median(reports.map(of)))] as const);
      return [`${part}_ms`, Object.fromEntries(medians)];
    }),
  );
}

function tableOf(series: Series, added: (variant: Variant, part: Part) => number): string {
  const table = new Table({
    head: ['app', 'load', 'boot', 'fastest', 'slowest', 'added', 'CPU'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { compact: true, head: [], border: [] },
  });
  for (const [variant, reports] of series) {
    const boots = reports.map(PARTS.boot);
    table.push([
      variant,
      ...[median(reports.map(PARTS.load)), median(boots), Math.min(...boots), Math.max(...boots)].map(Math.round),
      added(variant, 'boot').toFixed(1),
      Math.round(median(reports.map(PARTS.cpu))),
    ]);
  }
  return table.toString();
}
