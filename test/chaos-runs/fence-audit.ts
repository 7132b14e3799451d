import type { Statuses } from './chaos-tasks.js';
import { ofKind, type DeliveryAudit } from './delivery-audit.js';
import { TTL, type WriteResult } from './fenced-tasks.js';
import type { FencedRun, LedgerEntry } from './ledger.js';
import { hadNoTurn } from './turns.js';

type WriteEntry = Extract<LedgerEntry, { what: 'write' }>;

export interface FenceEvidence {
  readonly entries: readonly LedgerEntry[];
  readonly statuses: Statuses;
}

const LOSSES = ['LockLostError', 'ClaimLostError'];

/** Holds what a resource was written against what `@Locked` says of the jobs that wrote. */
export function auditFence({ entries, statuses }: FenceEvidence): DeliveryAudit {
  const writers = ofKind(entries, 'writer');
  const frozen = writers.filter(({ freezes }) => freezes);
  const writes = ofKind(entries, 'write');
  const accepted = writes.filter((write) => write.accepted);
  const lateOf = (holder: { id: string }): WriteEntry | undefined =>
    writes.find(({ id, attempt }) => id === holder.id && attempt === 1);
  const aborted = new Map(ofKind(entries, 'aborted').map(({ id, reason }) => [id, reason]));
  const hasWritten = (id: string, { token }: WriteResult): boolean =>
    accepted.some((write) => write.id === id && write.token === token);
  const isServed = ({ id, freezes }: (typeof writers)[number]): boolean => {
    const status = statuses.get(id);
    if (status?.state !== 'succeeded') return false;
    // A frozen holder that kept its job has nothing but its late write, and says so.
    return (freezes && status.attempt === 1) || hasWritten(id, status.result as WriteResult);
  };
  const idsOf = (chosen: readonly { readonly id: string }[]): string[] => chosen.map(({ id }) => id);
  const abortedBy = (reason: string): number => frozen.filter(({ id }) => aborted.get(id) === reason).length;

  return {
    counts: {
      frozen: frozen.length,
      late_writes: frozen.filter(lateOf).length,
      late_writes_refused: frozen.filter((holder) => lateOf(holder)?.accepted === false).length,
      aborted_for_lost_lock: abortedBy('LockLostError'),
      aborted_for_lost_job: abortedBy('ClaimLostError'),
      frozen_jobs_run_again: frozen.filter(({ id }) => (statuses.get(id)?.attempt ?? 0) > 1).length,
      waiters: writers.length - frozen.length,
      waiters_served: writers.filter((writer) => !writer.freezes && isServed(writer)).length,
      writes: writes.length,
      writes_accepted: accepted.length,
    },
    promises: {
      'A frozen holder tries its late write': idsOf(frozen.filter((holder) => !lateOf(holder))),
      'It does so when others have written': idsOf(
        frozen.filter((holder) => {
          const late = lateOf(holder);
          return late && !accepted.some(({ id, key, at }) => id !== holder.id && key === holder.key && at < late.at);
        }),
      ),
      'The late write of a frozen holder is refused': idsOf(frozen.filter((holder) => lateOf(holder)?.accepted)),
      'The signal of a frozen holder is aborted, since it has lost the lock or the job': idsOf(
        frozen.filter((holder) => lateOf(holder) && !LOSSES.includes(aborted.get(holder.id) ?? '')),
      ),
      'The tokens of what is accepted grow strictly': idsOf(
        accepted.filter((write, n) =>
          accepted.slice(0, n).some(({ key, token }) => key === write.key && token >= write.token),
        ),
      ),
      'Everybody who waits for the lock has it in the end': idsOf(writers.filter((writer) => !isServed(writer))),
      'There are never two with the lock whose writes are accepted': idsOf(besideOthers(entries, accepted)),
    },
  };
}

/** Those that had the lock while another one had it. One whose process had no turn for a while may have lost it. */
function besideOthers(entries: readonly LedgerEntry[], accepted: readonly WriteEntry[]): WriteEntry[] {
  const isOf =
    (write: FencedRun) =>
    (entry: FencedRun): boolean =>
      entry.id === write.id && entry.attempt === write.attempt && entry.token === write.token;
  const stays = accepted.map((write) => ({
    write,
    entered: ofKind(entries, 'locked').find(isOf(write))!,
    leftAt: ofKind(entries, 'left').find(isOf(write))?.at ?? Infinity,
  }));
  const isBeside = ({ write, entered }: (typeof stays)[number]): boolean =>
    stays.some(
      (other) =>
        other.write !== write &&
        other.write.key === write.key &&
        other.entered.at <= entered.at &&
        other.leftAt > entered.at &&
        !hadNoTurn(entries, other.entered.pid, other.entered.at - TTL * 1e6, entered.at),
    );
  return stays.filter(isBeside).map(({ write }) => write);
}
