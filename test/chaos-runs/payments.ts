import { task, type JobsService } from '../../libs/jobs/src/index.js';
import { LEASE } from './chaos-module.js';
import { ofKind, type DeliveryAudit, type DeliveryEvidence } from './delivery-audit.js';
import type { LedgerEntry, LedgerFile } from './ledger.js';
import { PaymentTasks, type PaymentOrder } from './payment-tasks.js';
import type { SeededRandom } from './seeded-random.js';
import { hadNoTurn } from './turns.js';

type PayingEntry = Extract<LedgerEntry, { what: 'paying' }>;

/** An order, as many times as it is enqueued. They last longer than it takes to kill their process. */
export function drawPayment(random: SeededRandom, n: number): PaymentOrder[] {
  const order = { key: `order-${n}`, takes: random.between(400, 900), throwsFirst: random.chance(0.1) };
  return Array.from({ length: random.between(2, 4) }, () => order);
}

export async function enqueuePayment(jobs: JobsService, ledger: LedgerFile, order: PaymentOrder): Promise<void> {
  const { id } = await jobs.enqueue(task(PaymentTasks, 'pay'), order);
  ledger.append({ what: 'payment', id, key: order.key });
}

export interface PaymentEvidence extends Pick<DeliveryEvidence, 'entries' | 'statuses'> {
  /** When each process was killed. */
  readonly killedAt: ReadonlyMap<number, number>;
}

interface Payment {
  readonly key: string;
  /** Ids. */
  readonly jobs: readonly string[];
  /** In the order in which they began. */
  readonly runs: readonly PayingEntry[];
}

/** Holds what the ledger knows of payments against what the library says of their jobs. */
export function auditPayments(evidence: PaymentEvidence): DeliveryAudit {
  const { entries, statuses } = evidence;
  const payments = paymentsOf(entries);
  const statusOf = (id: string) => statuses.get(id) ?? undefined;
  const jobs = payments.flatMap((payment) => payment.jobs);
  const succeeded = (ids: readonly string[]): string[] => ids.filter((id) => statusOf(id)?.state === 'succeeded');
  const resultOf = (id: string): string => JSON.stringify(statusOf(id)!.result);
  const resultsOf = (payment: Payment): string[] => [...new Set(succeeded(payment.jobs).map(resultOf))];
  const paid = new Set(ofKind(entries, 'paid').map(({ nonce }) => JSON.stringify({ nonce })));
  const kept = ({ nonce }: PayingEntry): string => JSON.stringify({ nonce });
  const runIn = (payment: Payment): PayingEntry | undefined =>
    payment.runs.find((run) => resultsOf(payment).includes(kept(run)));
  const wasDisturbed = ({ runs }: Payment): boolean =>
    runs.some(({ pid, at }) => hadNoTurn(entries, pid, at - LEASE * 1e6, runs.at(-1)!.at));
  const charges = ofKind(entries, 'charged');
  const chargedAs = (key: string): Set<string> =>
    new Set(charges.filter((charge) => charge.key === key).map(({ idempotencyKey }) => idempotencyKey));
  const keysOf = new Map(payments.map(({ key, runs }) => [key, new Set(runs.map((run) => run.idempotencyKey))]));
  const users = countBy([...keysOf.values()].flatMap((keys) => [...keys]));
  const acknowledged = new Set(jobs);
  const keysWhere = (isWrong: (payment: Payment) => boolean): string[] =>
    payments.filter(isWrong).map(({ key }) => key);

  return {
    counts: {
      payments: payments.length,
      payment_jobs: jobs.length,
      payment_runs: ofKind(entries, 'paying').length,
      payments_run_again: payments.filter(({ runs }) => runs.length > 1).length,
      payments_interrupted: interruptedPayments(evidence).length,
      payments_disturbed: payments.filter((payment) => payment.runs.length > 0 && wasDisturbed(payment)).length,
      charges: new Set(charges.map(({ idempotencyKey }) => idempotencyKey)).size,
      charged_again: charges.length - new Set(charges.map(({ idempotencyKey }) => idempotencyKey)).size,
      deduplicated: jobs.filter((id) => statusOf(id)?.deduplicatedBy !== undefined).length,
    },
    promises: {
      'An acknowledged payment is there, and succeeds': jobs.filter((id) => statusOf(id)?.state !== 'succeeded'),
      'All jobs of a payment have one result': keysWhere((payment) => resultsOf(payment).length > 1),
      'The result of a payment is that of a run which came to its end': keysWhere((payment) =>
        resultsOf(payment).some((result) => !paid.has(result)),
      ),
      'Nothing runs after the run whose result is kept': keysWhere((payment) => {
        const run = runIn(payment);
        return run !== undefined && run !== payment.runs.at(-1) && !wasDisturbed(payment);
      }),
      'A payment is charged once by a service that heeds idempotency keys': keysWhere(
        ({ key }) => chargedAs(key).size !== 1,
      ),
      'All runs of a payment have one idempotency key': keysWhere(({ key }) => keysOf.get(key)!.size > 1),
      'Two payments have two idempotency keys': keysWhere(({ key }) =>
        [...keysOf.get(key)!].some((idempotencyKey) => users.get(idempotencyKey)! > 1),
      ),
      'A payment is run again only when a run threw or its process was killed, and after that': keysWhere(({ runs }) =>
        runs.some((run, n) => runs.slice(n + 1).some((later) => !isOver(run, later, evidence))),
      ),
      'Who has the result of another job names it': payments.flatMap((payment) => {
        const owner = runIn(payment)?.id;
        const rightful = (id: string) => (id === owner ? undefined : owner);
        return succeeded(payment.jobs).filter((id) => statusOf(id)!.deduplicatedBy !== rightful(id));
      }),
      'Only acknowledged payments are run': ofKind(entries, 'paying')
        .filter(({ id }) => !acknowledged.has(id))
        .map(({ id }) => id),
    },
  };
}

/** Those of which a process was killed in the middle of a run. */
export function interruptedPayments({ entries, killedAt }: PaymentEvidence): string[] {
  const ended = new Set([...ofKind(entries, 'paid'), ...ofKind(entries, 'not paid')].map(({ nonce }) => nonce));
  const cut = ofKind(entries, 'paying').filter(({ pid, nonce }) => killedAt.has(pid) && !ended.has(nonce));
  return [...new Set(cut.map(({ key }) => key))];
}

/** Whether a run was so when the other began. One whose process had no turn for a while may have lost its claim. */
function isOver(run: PayingEntry, later: PayingEntry, { entries, killedAt }: PaymentEvidence): boolean {
  const threw = ofKind(entries, 'not paid').some(({ nonce, at }) => nonce === run.nonce && at < later.at);
  const died = (killedAt.get(run.pid) ?? Infinity) < later.at;
  return threw || died || hadNoTurn(entries, run.pid, run.at - LEASE * 1e6, later.at);
}

function paymentsOf(entries: readonly LedgerEntry[]): Payment[] {
  const payments = new Map<string, { key: string; jobs: string[]; runs: PayingEntry[] }>();
  for (const { id, key } of ofKind(entries, 'payment')) {
    const payment = payments.get(key) ?? { key, jobs: [], runs: [] };
    payment.jobs.push(id);
    payments.set(key, payment);
  }
  for (const run of ofKind(entries, 'paying')) payments.get(run.key)?.runs.push(run);
  return [...payments.values()];
}

function countBy(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
