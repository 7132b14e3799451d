import type { JobStatus } from '../../libs/jobs/src/index.js';
import type { LedgerEntry, LedgerEvent } from './ledger.js';
import { auditLoad, inFlight, oddRefusals } from './load-audit.js';

const succeeded = { state: 'succeeded', terminal: true, attempt: 1, result: { value: 7, attempt: 1 } };
const done = (id: string): LedgerEvent[] => [
  { what: 'asked', id: '', order: 3 },
  { what: 'acknowledged', id, expected: 7, order: 3 },
  { what: 'run', id, attempt: 1 },
  { what: 'finished', id, attempt: 1 },
];

function entriesOf(events: LedgerEvent[]): LedgerEntry[] {
  return events.map((event, at) => ({ ...event, pid: 1, at }));
}

/** What does not hold when the store has job `a`, and that many in all. */
function brokenBy(events: LedgerEvent[], stored: number): string[] {
  const statuses = new Map([['a', succeeded as unknown as JobStatus]]);
  const { promises } = auditLoad({ entries: entriesOf(events), statuses, stored });
  return Object.keys(promises).filter((promise) => promises[promise]!.length > 0);
}

describe('the audit of a load through outages', () => {
  it('[C9] holds nothing against a job whose enqueue was refused and that is there all the same', () => {
    const refused: LedgerEvent[] = [
      { what: 'asked', id: '', order: 4 },
      { what: 'refused', id: '', order: 4, error: 'BackendUnavailableError' },
      { what: 'run', id: 'b', attempt: 1 },
    ];
    expect(brokenBy([...done('a'), ...refused], 2)).toEqual([]);
  });

  it('[C9] holds nothing against a named job that nobody acknowledged, since its producer died', () => {
    const named: LedgerEvent[] = [
      { what: 'asked', id: 'work-4', order: 4 },
      { what: 'run', id: 'default_work-4', attempt: 1 },
    ];
    expect(brokenBy([...done('a'), ...named], 2)).toEqual([]);
  });

  it.each([
    ['a job is run that nobody asked for', [{ what: 'run', id: 'b', attempt: 1 }], 1, 'Only what was asked for is run'],
    ['the store has one more', [], 2, 'The store has no other jobs than those asked for'],
    ['the store has one less', [], 0, 'The store has no other jobs than those asked for'],
  ] as const)('[C9] says it when %s', (_what, events, stored, promise) => {
    expect(brokenBy([...done('a'), ...events], stored)).toEqual([promise]);
  });

  it('[C9] takes for in flight what had begun in these processes and had not ended, well or not', () => {
    const run = (id: string): LedgerEvent => ({ what: 'run', id, attempt: 1 });
    const entries = entriesOf([run('a'), run('b'), run('c'), { what: 'finished', id: 'a', attempt: 1 }]);
    const threw: LedgerEntry = { what: 'threw', id: 'b', attempt: 1, pid: 1, at: 4 };
    const elsewhere: LedgerEntry = { what: 'run', id: 'd', attempt: 1, pid: 2, at: 4 };
    const ids = inFlight([...entries, threw, elsewhere], [1], 5, 5).map(({ id }) => id);
    expect(ids).toEqual(['c']);
  });

  it('[C9] names the errors of refusals that do not say that the store is away', () => {
    const refusal = (error: string): LedgerEvent => ({ what: 'refused', id: '', order: 1, error });
    expect(oddRefusals(entriesOf([refusal('BackendUnavailableError'), refusal('TypeError')]))).toEqual(['TypeError']);
  });
});
