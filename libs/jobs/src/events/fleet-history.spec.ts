import type { JobState as EngineState } from 'bullmq';
import type { StoredJob } from '../client/envelope.js';
import { readStatus } from '../client/read-status.js';
import { stackWithAttempt } from '../retry/attempt-record.js';
import { eventsOf, toldBefore, type EngineEvent, type ToldOfJob } from './fleet-history.js';
import type { JobEvent } from './job-event.js';

const START = Date.parse('2026-03-01T10:00:00.000Z');

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** What a job is after attempts that failed at these times. */
function jobAfter(failedAt: readonly number[], more: Partial<StoredJob> = {}): StoredJob {
  const stacktrace = failedAt.map((at, n) => {
    const error = { name: 'Error', message: `attempt ${n + 1}` };
    return stackWithAttempt(undefined, { attempt: n + 1, startedAt: iso(at - 10), endedAt: iso(at), error });
  });
  const job = {
    id: 'default_1',
    name: 'mails.send',
    queueName: 'default',
    data: {},
    opts: { attempts: 5 },
    timestamp: START,
    attemptsMade: failedAt.length,
    stalledCounter: 0,
    delay: 0,
    progress: 0,
    stacktrace,
    ...more,
  };
  return job as unknown as StoredJob;
}

function tell(
  engine: readonly EngineEvent[],
  job: StoredJob,
  state: EngineState,
  told?: ToldOfJob,
): { told: ToldOfJob; events: JobEvent[] } {
  const status = readStatus(job, state);
  const memory = told ?? toldBefore(job, status, START);
  return { told: memory, events: eventsOf(engine, job, status, memory) };
}

function brief(events: readonly JobEvent[]): string[] {
  return events.map((event) => ('attempt' in event ? `${event.event} ${event.attempt}` : event.event));
}

describe('what is told of the jobs of a fleet', () => {
  it('[M1] gives each of many events of one job, read once, its attempt and its error', () => {
    const [first, second] = [START + 100, START + 1_200];
    const processedOn = START + 2_300;
    const job = jobAfter([first, second], { processedOn, finishedOn: processedOn + 5 });
    const engine: EngineEvent[] = [
      { name: 'added' },
      { name: 'active' },
      { name: 'delayed', due: first + 1_001 },
      { name: 'active' },
      { name: 'delayed', due: second + 1_001 },
      { name: 'active' },
      { name: 'completed' },
    ];
    const { events } = tell(engine, job, 'completed');
    expect(brief(events)).toEqual([
      'enqueued',
      'started 1',
      'retrying 1',
      'started 2',
      'retrying 2',
      'started 3',
      'succeeded 3',
    ]);
    expect(events[1]).toMatchObject({ at: iso(first - 10) });
    expect(events[2]).toMatchObject({ at: iso(first), retryAt: iso(first + 1_001), error: { message: 'attempt 1' } });
    expect(events[4]).toMatchObject({ retryAt: iso(second + 1_001), error: { message: 'attempt 2' }, duration: 10 });
  });

  it('[M1] takes a job that is put off without having failed for one that waits', () => {
    const waits = { for: 'lock' as const, since: START };
    const job = jobAfter([], { processedOn: START + 5, progress: { attempt: 1, waits } as never });
    const { events, told } = tell([{ name: 'active' }, { name: 'delayed', due: START + 60_000 }], job, 'delayed');
    expect(events).toEqual([]);
    const begun = jobAfter([], { processedOn: START + 70 });
    expect(brief(tell([{ name: 'active' }], begun, 'active', told).events)).toEqual(['started 1']);
    expect(tell([{ name: 'active' }], begun, 'active', told).events).toEqual([]);
  });

  it('[M1] knows a snooze by its time, and that the same attempt begins again after it', () => {
    const until = START + 30_000;
    const progress = { attempt: 1, snoozedUntil: until, snoozedFor: 29_000 } as never;
    const engine: EngineEvent[] = [{ name: 'active' }, { name: 'delayed', due: until }];
    const { events, told } = tell(engine, jobAfter([], { processedOn: START + 900, progress }), 'delayed');
    expect(brief(events)).toEqual(['started 1', 'snoozed 1']);
    expect(events[1]).toMatchObject({ until: iso(until), at: iso(START + 1_000) });
    const again = tell([{ name: 'active' }], jobAfter([], { processedOn: until, progress }), 'active', told);
    expect(brief(again.events)).toEqual(['started 1']);
  });

  it('[M1] tells no failure that is older than the listening, and none twice', () => {
    const job = jobAfter([START - 5_000], { processedOn: START - 5_010 });
    expect(tell([{ name: 'delayed', due: START + 1_000 }], job, 'delayed').events).toEqual([]);
    const fresh = jobAfter([START + 1]);
    const { events, told } = tell([{ name: 'waiting' }], fresh, 'delayed');
    expect(brief(events)).toEqual(['retrying 1']);
    expect(tell([{ name: 'waiting' }], fresh, 'delayed', told).events).toEqual([]);
  });

  it('[M1] gives each event its attempt, also when the job is read late', () => {
    const [first, second] = [START + 100, START + 200];
    const job = jobAfter([first, second], { processedOn: second - 10, finishedOn: second, opts: { attempts: 2 } });
    const { events, told } = tell([{ name: 'added' }, { name: 'active' }], job, 'failed');
    expect(brief(events)).toEqual(['enqueued', 'started 1']);
    const engine: EngineEvent[] = [{ name: 'delayed', due: first + 1 }, { name: 'active' }];
    expect(brief(tell(engine, job, 'failed', told).events)).toEqual(['retrying 1', 'started 2']);
    expect(brief(tell([{ name: 'failed' }], job, 'failed', told).events)).toEqual(['failed 2']);
  });

  it('[M1] tells nothing after the end, of this job', () => {
    const job = jobAfter([], { processedOn: START + 5, finishedOn: START + 9 });
    const { events, told } = tell([{ name: 'active' }, { name: 'completed' }, { name: 'active' }], job, 'completed');
    expect(brief(events)).toEqual(['started 1', 'succeeded 1']);
    expect(told.isOver).toBe(true);
    const late: EngineEvent = { name: 'progress', said: { attempt: 1, progress: 1 } };
    expect(tell([late], job, 'completed', told).events).toEqual([]);
  });

  it('[M1] tells what a task says once, however often it is written', () => {
    const job = jobAfter([], { processedOn: START + 5 });
    const stage = { name: 'reading' };
    const engine: EngineEvent[] = [
      { name: 'active' },
      { name: 'progress', said: { attempt: 1, stage } },
      { name: 'progress', said: { attempt: 1, stage, progress: 1 } },
      { name: 'progress', said: { attempt: 1, stage, progress: 1, snoozedUntil: START } },
      { name: 'progress', said: { attempt: 1, stage, progress: 2 } },
    ];
    expect(brief(tell(engine, job, 'active').events)).toEqual(['started 1', 'stage 1', 'progress 1', 'progress 1']);
  });
});
