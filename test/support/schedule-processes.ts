import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobType } from 'bullmq';
import type { JobsService, ScheduleInfo } from 'nestjs-jobs';
import type { JobEnvelope } from '../../libs/jobs/src/client/envelope.js';
import {
  CodeSchedules,
  readScheduleLedger,
  scheduleOptions,
  ScheduleTasks,
  SETTINGS_VARIABLE,
  type ScheduleEntry,
  type ScheduleSettings,
} from '../fixtures/schedule-tasks.js';
import { embeddedIn, uniqueNamespace, type TestBackend } from './backends.js';
import { spawnFixture, type ChildHandle } from './child-process.js';
import { eventually } from './eventually.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';
import { signal, type Signal } from './signals.js';

const OPEN: readonly JobType[] = ['active', 'wait', 'prioritized', 'delayed'];
const ALL: JobType[] = [...OPEN, 'completed', 'failed'];
const MOST_LISTED = 1_000;
/** Milliseconds. What a process that was killed had is waited for. */
const LEASE = 2_000;

/** A job of a schedule. Times are milliseconds. */
export interface SentJob {
  readonly id: string;
  readonly at: number;
  readonly sentAt: number;
}

/** Processes with schedules, in a store of each test's own, and what has become of both. */
export class ScheduleProcesses {
  /** Lets the tasks of this process end that hold. */
  released!: Signal;
  private directory!: string;
  private shared!: Pick<ScheduleSettings, 'connection' | 'namespace' | 'ledger' | 'lease'>;

  constructor(private readonly backend: TestBackend) {
    beforeEach(async () => {
      this.directory = await mkdtemp(join(tmpdir(), 'jobs-schedules-'));
      const ledger = join(this.directory, 'ledger');
      await writeFile(ledger, '');
      const data = join(this.directory, 'data');
      const connection = backend.name === 'embedded' ? embeddedIn(data) : backend.connection()!;
      this.shared = { connection, namespace: uniqueNamespace(), ledger, lease: LEASE };
      this.released = signal();
      ScheduleTasks.ledger = ledger;
      ScheduleTasks.released = this.released.reached;
    });
    afterEach(async () => {
      this.released.reach();
      await rm(this.directory, { recursive: true, force: true });
    });
  }

  start(settings: Pick<ScheduleSettings, 'fault' | 'creates'> = {}): ChildHandle {
    const whole: ScheduleSettings = { ...this.shared, ...settings };
    return spawnFixture('schedule-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify(whole) } });
  }

  /** Processes that work. */
  async startReady(count: number): Promise<ChildHandle[]> {
    const started = Array.from({ length: count }, () => this.start());
    await Promise.all(started.map((child) => child.waitForLine(/^READY$/, { timeout: 60_000 })));
    return started;
  }

  /** This process's own app, which knows nothing of what the code of the others has. */
  open(workers: boolean): Promise<JobsApp> {
    const options = { ...scheduleOptions(this.shared), workers };
    return startJobsApp({ backend: this.backend, providers: [ScheduleTasks], options });
  }

  /** One that works nothing, with the code of the others: else it would remove what the dead ones no longer announce. */
  openBeside(): Promise<JobsApp> {
    const options = { ...scheduleOptions(this.shared), workers: false };
    return startJobsApp({ backend: this.backend, providers: [ScheduleTasks, CodeSchedules], options });
  }

  /** Tasks that have begun, in whatever process. */
  ran(schedule?: string): ScheduleEntry[] {
    const all = readScheduleLedger(this.shared.ledger);
    return schedule === undefined ? all : all.filter((entry) => entry.schedule === schedule);
  }

  /** The moments at which jobs of a schedule began for the first time, of which none may be there twice. */
  beganTwice(schedule: string): number[] {
    const first = this.ran(schedule).flatMap(({ at, attempt }) => (attempt === 1 ? [at] : []));
    return first.filter((at, n) => first.indexOf(at) !== n);
  }
}

/** The jobs of a schedule that are in the store, by their times. */
export async function sentJobs(jobs: JobsService, schedule: string): Promise<SentJob[]> {
  const sent = new Map<string, SentJob>();
  // One that moves to another state is seen twice, or not at all.
  for (const job of await jobs.queue('default').getJobs(ALL, 0, MOST_LISTED)) {
    const { e: fire } = job.data as JobEnvelope;
    if (fire?.s === schedule) sent.set(job.id!, { id: job.id!, at: fire.at, sentAt: fire.by });
  }
  return [...sent.values()].toSorted((a, b) => a.at - b.at);
}

/** Ends a schedule, and all jobs that it has sent. */
export async function settle(jobs: JobsService, schedule: string): Promise<{ info: ScheduleInfo; sent: SentJob[] }> {
  await eventually(() => jobs.schedules.pause(schedule), { timeout: 60_000 });
  const isQuiet = async (): Promise<boolean> => {
    const counts = await jobs.queue('default').getJobCounts(...OPEN);
    return Object.values(counts).every((count) => count === 0);
  };
  await eventually(isQuiet, { timeout: 60_000 });
  // Whoever was sending when it was paused takes note of that a little later.
  return eventually(
    async () => {
      const [info, sent] = [(await jobs.schedules.get(schedule))!, await sentJobs(jobs, schedule)];
      expect(info.sent).toBe(sent.length);
      return { info, sent };
    },
    { timeout: 60_000 },
  );
}

/** Of times that were to come each second: those before which seconds are missing, and those that are there twice. */
export function flawsOf(times: readonly number[]): { gaps: number[]; doubles: number[] } {
  const between = (wrong: (step: number) => boolean): number[] =>
    times.filter((at, n) => n > 0 && wrong(at - times[n - 1]!));
  return { gaps: between((step) => step > 1_000), doubles: between((step) => step < 1_000) };
}
