import type { JobStatus, OverlapPolicy, ScheduleInfo } from 'nestjs-jobs';
import type { ScheduleFault } from '../fixtures/schedule-faults.js';
import type { TestSchedule } from '../fixtures/schedule-tasks.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { flawsOf, ScheduleProcesses, sentJobs, settle } from '../support/schedule-processes.js';
import { isFull, runsOn, sized } from '../support/test-form.js';

const NAME = 'crashes';
const PATIENCE = { timeout: 60_000 };
const TIME = isFull ? 300_000 : 120_000;

const GAPS: Record<ScheduleFault, string> = {
  stored: 'after the schedule is stored, before its alarm is set',
  fetched: 'after an alarm is fetched, before the next one is set',
  intended: 'after it is stored what is to be sent, before that is sent',
  sent: 'after a job is sent, before that is stored',
  settled: 'after it is stored that a job was sent',
};

/** In turn, so that a short run sees each gap and each policy somewhere. */
const CASES = (Object.keys(GAPS) as ScheduleFault[]).flatMap((fault) =>
  (['skip', 'cancel-previous', 'allow'] as const).map((overlap) => ({ fault, gap: GAPS[fault], overlap })),
);

describe.each(backends)('a process that is killed -9 while it works a schedule on $name', (backend) => {
  const processes = new ScheduleProcesses(backend);

  async function diesAt(fault: ScheduleFault, policies: Partial<TestSchedule>): Promise<JobsApp> {
    const victim = processes.start({ fault, creates: { name: NAME, every: '1s', ...policies } });
    const { signal } = await victim.exited;
    // What it said tells why it lives, or has died of something else.
    expect({ signal, said: victim.stderr }).toEqual({ signal: 'SIGKILL', said: [] });
    return processes.open(true);
  }

  const infoIn = async ({ jobs }: JobsApp): Promise<ScheduleInfo> => (await jobs.schedules.get(NAME))!;

  for (const [n, { fault, gap, overlap }] of CASES.entries()) {
    if (!isChosen(n)) continue;
    it(
      `[S4] [S5] with ${overlap}, ${gap}: the schedule goes on, with no job too many`,
      async () => {
        const app = await diesAt(fault, { overlap, missed: overlap === 'allow' ? 'all' : 'run-once' });
        await KEEPS[overlap](app);
        const { sent, info } = await settle(app.jobs, NAME);
        expect(flawsOf(sent.map(({ at }) => at)).doubles).toEqual([]);
        expect(info.sent).toBe(sent.length);
        expect(processes.beganTwice(NAME)).toEqual([]);
        await app.close();
      },
      TIME,
    );
  }

  for (const [n, fault] of (['settled', 'sent', 'intended'] as const).slice(0, sized(3, 1)).entries()) {
    if (!runsOn(backend, backends, n + 2)) continue;
    it(
      `[S5] with maxRuns, ${GAPS[fault]}: no job more is sent`,
      async () => {
        const app = await diesAt(fault, { maxRuns: 2 });
        processes.released.reach();
        await eventually(async () => (await infoIn(app)).state === 'ended', PATIENCE);
        const { sent, info } = await settle(app.jobs, NAME);
        expect(sent).toHaveLength(2);
        expect(info.sent).toBe(2);
        expect(processes.beganTwice(NAME)).toEqual([]);
        await app.close();
      },
      TIME,
    );
  }

  /** What each policy promises, also of a job that a dead process has sent. */
  const KEEPS: Record<Exclude<OverlapPolicy, 'queue'>, (app: JobsApp) => Promise<void>> = {
    async skip(app) {
      const { skippedCount } = await infoIn(app);
      await eventually(async () => (await infoIn(app)).skippedCount > skippedCount + 1, PATIENCE);
      expect(await sentJobs(app.jobs, NAME)).toHaveLength(1);
      processes.released.reach();
      await eventually(async () => (await infoIn(app)).sent > 2, PATIENCE);
    },

    async 'cancel-previous'(app) {
      await eventually(async () => (await infoIn(app)).sent > 2, PATIENCE);
      await app.jobs.schedules.pause(NAME);
      const ids = (await sentJobs(app.jobs, NAME)).map(({ id }) => id);
      const states = (): Promise<JobStatus[]> => Promise.all(ids.map((id) => app.jobs.job(id).status()));
      const cancelled = ids.slice(0, -1).map(() => 'cancelled');
      await eventually(async () => {
        expect((await states()).slice(0, -1).map(({ state }) => state)).toEqual(cancelled);
      }, PATIENCE);
      processes.released.reach();
    },

    async allow(app) {
      await eventually(async () => (await infoIn(app)).sent > 3, PATIENCE);
      processes.released.reach();
      const { sent } = await settle(app.jobs, NAME);
      expect(flawsOf(sent.map(({ at }) => at))).toEqual({ gaps: [], doubles: [] });
    },
  };

  /** Each gap once with some policy in a short run, or with maxRuns; what is sent and forgotten with skip and cancel-previous. */
  function isChosen(n: number): boolean {
    const { fault, overlap } = CASES[n]!;
    if (isFull) return true;
    const among = ['skip', 'cancel-previous', 'allow'] as const;
    if (fault === 'settled') return false;
    const turn = (Object.keys(GAPS) as ScheduleFault[]).indexOf(fault);
    return (fault === 'sent' ? overlap !== 'allow' : among[turn % 3] === overlap) && runsOn(backend, backends, n + 1);
  }
});
