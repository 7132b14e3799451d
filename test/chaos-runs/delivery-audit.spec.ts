import type { JobStatus } from '../../libs/jobs/src/index.js';
import { auditDelivery } from './delivery-audit.js';
import type { LedgerEvent } from './ledger.js';

const acknowledged: LedgerEvent = { what: 'acknowledged', id: 'a', expected: 7 };
const run = (attempt: number, id = 'a'): LedgerEvent => ({ what: 'run', id, attempt });
const finished = (attempt: number): LedgerEvent => ({ what: 'finished', id: 'a', attempt });
const wellEnded: Partial<JobStatus> = {
  state: 'succeeded',
  terminal: true,
  attempt: 2,
  result: { value: 7, attempt: 2 },
};

/** What does not hold, with the jobs for which it does not, of a ledger and of the one job that the store has. */
function brokenBy(events: LedgerEvent[], status: Partial<JobStatus> | null): [string, readonly string[]][] {
  const { promises } = auditDelivery({
    entries: events.map((event, at) => ({ ...event, pid: 1, at })),
    statuses: new Map([['a', status as JobStatus | null]]),
    stored: 1,
  });
  return Object.entries(promises).filter(([, jobs]) => jobs.length > 0);
}

describe('the audit of a ledger', () => {
  it('[C2] finds nothing wrong with a job that was interrupted, run again and succeeded', () => {
    expect(brokenBy([acknowledged, run(1), run(2), finished(2)], wellEnded)).toEqual([]);
  });

  it('[C2] holds nothing against a run that came to its turn, and its end, after another had taken the job over', () => {
    expect(brokenBy([acknowledged, run(2), finished(2), run(1), finished(1)], wellEnded)).toEqual([]);
  });

  it.each<[string, LedgerEvent[], Partial<JobStatus> | null]>([
    ['An acknowledged job is there', [acknowledged, run(1)], null],
    [
      'An acknowledged job reaches a final state',
      [acknowledged, run(1)],
      { state: 'running', terminal: false, attempt: 1 },
    ],
    ['An acknowledged job succeeds', [acknowledged, run(1)], { state: 'failed', terminal: true, attempt: 1 }],
    [
      'What succeeded was run to its end, as the attempt that the status names',
      [acknowledged, run(1), run(2)],
      wellEnded,
    ],
    [
      'What succeeded was run to its end, as the attempt that the status names',
      [acknowledged, run(1), run(2), finished(1)],
      wellEnded,
    ],
    [
      'The result is that of the attempt that the status names',
      [acknowledged, run(2), finished(2)],
      { ...wellEnded, result: { value: 7, attempt: 1 } },
    ],
    [
      'The result is that of the attempt that the status names',
      [acknowledged, run(2), finished(2)],
      { ...wellEnded, result: { value: 8, attempt: 2 } },
    ],
    ['Only what was acknowledged is run', [run(1)], null],
    ['Each further run is an attempt with a number of its own', [acknowledged, run(2), run(2), finished(2)], wellEnded],
  ])('[C2] says when this does not hold: %s (%#)', (promise, events, status) => {
    expect(brokenBy(events, status)).toEqual([[promise, ['a']]]);
  });
});
