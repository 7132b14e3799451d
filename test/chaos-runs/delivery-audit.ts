import { isDeepStrictEqual } from 'node:util';
import type { Statuses } from './chaos-tasks.js';
import type { LedgerEntry } from './ledger.js';

type Kind = LedgerEntry['what'];
type Entry<K extends Kind> = Extract<LedgerEntry, { what: K }>;

export interface DeliveryEvidence {
  /** In the order in which it happened. */
  readonly entries: readonly LedgerEntry[];
  readonly statuses: Statuses;
  /** How many jobs the store has, in whatever state. */
  readonly stored: number;
}

export interface DeliveryAudit {
  readonly counts: Readonly<Record<string, number>>;
  /** By promise, the ids of the jobs for which it did not hold. */
  readonly promises: Readonly<Record<string, readonly string[]>>;
}

/** Holds what the ledger knows of `chaos.work` jobs against what the library says of them. */
export function auditDelivery({ entries, statuses, stored }: DeliveryEvidence): DeliveryAudit {
  const expected = new Map(ofKind(entries, 'acknowledged').map((entry) => [entry.id, entry.expected]));
  const runs = byJob(ofKind(entries, 'run'));
  const finished = byJob(ofKind(entries, 'finished'));
  const acknowledged = [...expected.keys()];
  const statusOf = (id: string) => statuses.get(id) ?? undefined;
  const terminal = acknowledged.filter((id) => statusOf(id)?.terminal);
  const succeeded = terminal.filter((id) => statusOf(id)!.state === 'succeeded');
  const repeated = [...runs].filter(([, ofJob]) => ofJob.length > 1);
  const count = (of: ReadonlyMap<string, readonly unknown[]>): number =>
    [...of.values()].reduce((sum, { length }) => sum + length, 0);

  return {
    counts: {
      acknowledged: acknowledged.length,
      stored,
      runs: count(runs),
      finished: count(finished),
      succeeded: succeeded.length,
      failed: terminal.length - succeeded.length,
      lost: acknowledged.filter((id) => statusOf(id) === undefined).length,
      jobs_run_again: repeated.length,
      runs_again: count(new Map(repeated)) - repeated.length,
      // Begun by processes that had no turn for longer than their lease, after another one had taken the job over.
      runs_begun_too_late: repeated.flatMap(([, ofJob]) =>
        ofJob.filter(({ attempt }, n) => n > 0 && attempt < ofJob[n - 1]!.attempt),
      ).length,
      most_attempts: Math.max(0, ...ofKind(entries, 'run').map(({ attempt }) => attempt)),
    },
    promises: {
      'An acknowledged job is there': acknowledged.filter((id) => statusOf(id) === undefined),
      'An acknowledged job reaches a final state': acknowledged.filter((id) => statusOf(id)?.terminal === false),
      'An acknowledged job succeeds': terminal.filter((id) => statusOf(id)!.state !== 'succeeded'),
      'What succeeded was run to its end, as the attempt that the status names': succeeded.filter((id) => {
        const { attempt } = statusOf(id)!;
        // Not the last one: a process that had no turn for longer than its lease ends its run too, for nothing.
        return !finished.get(id)?.some((end) => end.attempt === attempt);
      }),
      'The result is that of the attempt that the status names': succeeded.filter((id) => {
        const { attempt, result } = statusOf(id)!;
        return !isDeepStrictEqual(result, { value: expected.get(id), attempt });
      }),
      'Only what was acknowledged is run': [...runs.keys()].filter((id) => !expected.has(id)),
      'Each further run is an attempt with a number of its own': repeated
        .filter(([, ofJob]) => new Set(ofJob.map(({ attempt }) => attempt)).size < ofJob.length)
        .map(([id]) => id),
    },
  };
}

export function ofKind<K extends Kind>(entries: readonly LedgerEntry[], kind: K): Entry<K>[] {
  return entries.filter((entry): entry is Entry<K> => entry.what === kind);
}

function byJob<T extends { readonly id: string }>(entries: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const group = groups.get(entry.id);
    if (group) group.push(entry);
    else groups.set(entry.id, [entry]);
  }
  return groups;
}
