import type { JobStatus } from '../../libs/jobs/src/index.js';
import type { LedgerEvent } from './ledger.js';
import { auditPayments } from './payments.js';

interface Happening {
  readonly pid?: number;
  readonly event: LedgerEvent;
}

type Deed = 'paying' | 'charged' | 'paid' | 'not paid';

/** What a run of a job did, in the process with that number; its nonce is `<id> <attempt>`. */
function run(id: string, attempt: number, pid: number, deeds: Deed[], idempotencyKey = 'hash'): Happening[] {
  const of = { id, attempt, key: 'order', nonce: `${id} ${attempt}`, idempotencyKey };
  return deeds.map((what) => ({ pid, event: { what, ...of } }));
}

const ALL: Deed[] = ['paying', 'charged', 'paid'];
const jobs: Happening[] = ['a', 'b'].map((id) => ({ event: { what: 'payment', id, key: 'order' } }));
const kept = (nonce: string): Partial<JobStatus> => ({ state: 'succeeded', terminal: true, result: { nonce } });
const well = { a: kept('a 1'), b: { ...kept('a 1'), deduplicatedBy: 'a' } };
const KILLED = 9;

/** What does not hold. Process 9 is killed between the 4th and the 5th happening. */
function brokenBy(happenings: Happening[], statuses: Record<string, Partial<JobStatus> | null>): string[] {
  const { promises } = auditPayments({
    entries: happenings.map(({ event, pid = 1 }, at) => ({ ...event, pid, at })),
    statuses: new Map(Object.entries(statuses) as [string, JobStatus | null][]),
    killedAt: new Map([[KILLED, 3.5]]),
  });
  return Object.entries(promises).flatMap(([promise, broken]) => (broken.length > 0 ? [promise] : []));
}

const RUN_AGAIN = 'A payment is run again only when a run threw or its process was killed, and after that';
const AFTER_KEPT = 'Nothing runs after the run whose result is kept';
const CHARGED_ONCE = 'A payment is charged once by a service that heeds idempotency keys';

describe('the audit of payments', () => {
  it.each<[string, Happening[], Parameters<typeof brokenBy>[1]]>([
    ['that run once', [...jobs, ...run('a', 1, 1, ALL)], well],
    [
      'whose process is killed after the effect, and that another job runs then',
      [...jobs, ...run('b', 1, KILLED, ['paying', 'charged']), ...run('a', 1, 1, ALL)],
      well,
    ],
    ['that throw first', [...jobs, ...run('b', 1, 1, ['paying', 'not paid']), ...run('a', 1, 1, ALL)], well],
    [
      'that lose their claim in a process without a turn',
      [
        ...jobs,
        ...run('b', 1, 2, ['paying']),
        { pid: 2, event: { what: 'no turn', id: '', lasted: 900 } },
        ...run('a', 1, 1, ALL),
        ...run('b', 1, 2, ['charged', 'paid']),
      ],
      well,
    ],
  ])('[I1] finds nothing wrong with those %s', (_what, happenings, statuses) => {
    expect(brokenBy(happenings, statuses)).toEqual([]);
  });

  it.each<[string[], Happening[], Parameters<typeof brokenBy>[1]]>([
    [['An acknowledged payment is there, and succeeds'], [...jobs, ...run('a', 1, 1, ALL)], { ...well, b: null }],
    [
      ['All jobs of a payment have one result', 'Who has the result of another job names it', AFTER_KEPT, RUN_AGAIN],
      [...jobs, ...run('a', 1, 1, ALL), ...run('b', 1, 1, ALL)],
      { a: well.a, b: kept('b 1') },
    ],
    [
      ['The result of a payment is that of a run which came to its end'],
      [...jobs, ...run('a', 1, 1, ['paying', 'charged'])],
      well,
    ],
    [[AFTER_KEPT], [...jobs, ...run('a', 1, KILLED, ['paying', 'paid']), ...run('b', 1, 1, ALL)], well],
    [[CHARGED_ONCE], [...jobs, ...run('a', 1, 1, ['paying', 'paid'])], well],
    [
      [CHARGED_ONCE, 'All runs of a payment have one idempotency key'],
      [...jobs, ...run('b', 1, KILLED, ['paying', 'charged'], 'other'), ...run('a', 1, 1, ALL)],
      well,
    ],
    [
      ['Two payments have two idempotency keys'],
      [
        ...jobs,
        ...run('a', 1, 1, ALL),
        { event: { what: 'payment', id: 'c', key: 'second' } },
        ...(['paying', 'charged', 'paid'] as const).map((what): Happening => ({
          event: { what, id: 'c', attempt: 1, key: 'second', nonce: 'c 1', idempotencyKey: 'hash' },
        })),
      ],
      { ...well, c: kept('c 1') },
    ],
    [[RUN_AGAIN], [...jobs, ...run('b', 1, 1, ['paying', 'charged']), ...run('a', 1, 1, ALL)], well],
    [[RUN_AGAIN], [...jobs, ...run('b', 1, KILLED, ['paying']), ...run('a', 1, 1, ALL)], well],
    [
      ['Who has the result of another job names it'],
      [...jobs, ...run('a', 1, 1, ALL)],
      { a: well.a, b: { ...well.b, deduplicatedBy: 'c' } },
    ],
    [
      ['Only acknowledged payments are run'],
      [...jobs, ...run('c', 1, KILLED, ['paying', 'charged']), ...run('a', 1, 1, ALL)],
      well,
    ],
  ])('[I1] says when this does not hold: %j (%#)', (promises, happenings, statuses) => {
    expect(brokenBy(happenings, statuses).sort()).toEqual([...promises].sort());
  });
});
