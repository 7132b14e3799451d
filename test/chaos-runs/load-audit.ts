import { auditDelivery, ofKind, type DeliveryAudit, type DeliveryEvidence } from './delivery-audit.js';
import { clock, type LedgerEntry } from './ledger.js';

const ACKNOWLEDGED_ONLY = 'Only what was acknowledged is run';

/**
 * The audit of a run in which enqueues are refused. One that was, or that nobody answered since its process was killed,
 * may have been done all the same; such a job may be there and be run, and is held to nothing.
 */
export function auditLoad(evidence: DeliveryEvidence): DeliveryAudit {
  const { entries, stored } = evidence;
  const { counts, promises } = auditDelivery(evidence);
  const acknowledged = new Set(ofKind(entries, 'acknowledged').map(({ id }) => id));
  const asked = ofKind(entries, 'asked');
  const named = new Set(asked.flatMap(({ id }) => (id === '' ? [] : [`default_${id}`])));
  const isUnnamed = (entry: { id: string; order?: number }): boolean =>
    entry.order !== undefined && !named.has(entry.id);
  const unanswered =
    asked.filter(({ id }) => id === '').length - ofKind(entries, 'acknowledged').filter(isUnnamed).length;
  const unansweredNames = [...named].filter((id) => !acknowledged.has(id)).length;
  const others = [...new Set(ofKind(entries, 'run').map(({ id }) => id))].filter((id) => !acknowledged.has(id));
  const unasked = others.filter((id) => !named.has(id));
  const surplus = stored - acknowledged.size;
  return {
    counts: { ...counts, refused: ofKind(entries, 'refused').length, refused_and_run: others.length },
    promises: {
      ...Object.fromEntries(Object.entries(promises).filter(([promise]) => promise !== ACKNOWLEDGED_ONLY)),
      'Only what was asked for is run': unasked.length > unanswered ? unasked : [],
      'The store has no other jobs than those asked for':
        surplus < 0 || surplus > unanswered + unansweredNames ? [`${surplus} more than acknowledged`] : [],
    },
  };
}

/** Runs of these processes that had begun before the one moment and had not ended at the other. */
export function inFlight(
  entries: readonly LedgerEntry[],
  pids: readonly number[],
  from: number,
  to: number,
): LedgerEntry[] {
  const run = ({ id, pid, ...entry }: LedgerEntry): string => `${id} ${'attempt' in entry ? entry.attempt : ''} ${pid}`;
  const ends = entries.filter(({ what, at }) => (what === 'finished' || what === 'threw') && at < to);
  const ended = new Set(ends.map(run));
  return ofKind(entries, 'run').filter(
    (entry) => entry.at < from && pids.includes(entry.pid) && !ended.has(run(entry)),
  );
}

/** Enough that some will not have ended in the moment until something is done to them. */
const BUSY = 3;

export function isBusy(entries: readonly LedgerEntry[], pids: readonly number[]): boolean {
  const now = clock();
  return inFlight(entries, pids, now, now).length >= BUSY;
}

/** Of refused enqueues, those that say something else than that the store is away. */
export function oddRefusals(entries: readonly LedgerEntry[]): string[] {
  const names = ofKind(entries, 'refused').map(({ error }) => error);
  return [...new Set(names)].filter((name) => name !== 'BackendUnavailableError');
}
