import type { JobStatus } from '../../libs/jobs/src/index.js';
import { auditFence } from './fence-audit.js';
import type { LedgerEvent } from './ledger.js';

const KEY = 'resource';

function writer(id: string, freezes = false): LedgerEvent {
  return { what: 'writer', id, key: KEY, freezes };
}

function run(id: string, token: number, attempt = 1) {
  const of = { id, attempt, key: KEY, token };
  return {
    locked: { what: 'locked', ...of } satisfies LedgerEvent,
    accepted: { what: 'write', accepted: true, ...of } satisfies LedgerEvent,
    refused: { what: 'write', accepted: false, ...of } satisfies LedgerEvent,
    aborted: { what: 'aborted', reason: 'LockLostError', ...of } satisfies LedgerEvent,
    left: { what: 'left', ...of } satisfies LedgerEvent,
  };
}

const [frozen, next, last] = [run('frozen', 1), run('next', 2), run('last', 3)];
const writers = [writer('frozen', true), writer('next'), writer('last')];
const nextIs = [next.locked, next.accepted, next.left];
const lastIs = [last.locked, last.accepted, last.left];
const late = [frozen.refused, frozen.aborted, frozen.left];
const ended = (token: number, accepted: boolean): Partial<JobStatus> => ({
  state: 'succeeded',
  terminal: true,
  attempt: 1,
  result: { token, accepted },
});
const well = { frozen: ended(1, false), next: ended(2, true), last: ended(3, true) };

function brokenBy(events: LedgerEvent[], statuses: Record<string, Partial<JobStatus>> = well): string[] {
  const { promises } = auditFence({
    entries: [...writers, ...events].map((event, at) => ({ ...event, pid: 1, at })),
    statuses: new Map(Object.entries(statuses) as [string, JobStatus][]),
  });
  return Object.entries(promises).flatMap(([promise, broken]) => (broken.length > 0 ? [promise] : []));
}

const TRIES = 'A frozen holder tries its late write';
const SERVED = 'Everybody who waits for the lock has it in the end';
const BESIDE = 'There are never two with the lock whose writes are accepted';
const REFUSED = 'The late write of a frozen holder is refused';
const GROW = 'The tokens of what is accepted grow strictly';

describe('the audit of a resource that checks fencing tokens', () => {
  it('[I3] finds nothing wrong with a late write that is refused, also while another one has the lock', () => {
    expect(brokenBy([frozen.locked, ...nextIs, ...late, ...lastIs])).toEqual([]);
    expect(brokenBy([frozen.locked, next.locked, next.accepted, ...late, next.left, ...lastIs])).toEqual([]);
  });

  it('[I3] finds nothing wrong with a frozen job that is run again', () => {
    const again = run('frozen', 4, 2);
    const runsAgain = [again.locked, again.accepted, ...late, again.left];
    const statuses = { ...well, frozen: { ...ended(4, true), attempt: 2 } };
    expect(brokenBy([frozen.locked, ...nextIs, ...lastIs, ...runsAgain], statuses)).toEqual([]);
  });

  it.each<{ broken: string[]; events: LedgerEvent[]; statuses?: Record<string, Partial<JobStatus>> }>([
    { broken: [TRIES], events: [frozen.locked, ...nextIs, ...lastIs] },
    { broken: ['It does so when others have written'], events: [frozen.locked, ...late, ...nextIs, ...lastIs] },
    {
      broken: [REFUSED, GROW, BESIDE],
      events: [frozen.locked, ...nextIs, frozen.accepted, frozen.aborted, frozen.left, ...lastIs],
    },
    {
      broken: ['The signal of a frozen holder is aborted, since it has lost the lock or the job'],
      events: [frozen.locked, ...nextIs, frozen.refused, { ...frozen.aborted, reason: 'not aborted' }, ...lastIs],
    },
    { broken: [GROW], events: [frozen.locked, ...lastIs, ...late, ...nextIs] },
    { broken: [SERVED], events: [frozen.locked, ...nextIs, ...late, last.locked, last.refused, last.left] },
    {
      broken: [SERVED],
      events: [frozen.locked, ...nextIs, ...late, ...lastIs],
      statuses: { ...well, last: { state: 'failed', terminal: true } },
    },
    { broken: [BESIDE], events: [frozen.locked, next.locked, next.accepted, ...lastIs, next.left, ...late] },
  ])('[I3] says when this does not hold: $broken ($#)', ({ broken, events, statuses }) => {
    expect(brokenBy(events, statuses).sort()).toEqual([...broken].sort());
  });
});
