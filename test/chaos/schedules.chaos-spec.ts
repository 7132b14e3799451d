import { task } from 'nestjs-jobs';
import { seededRandom } from '../chaos-runs/seeded-random.js';
import { IN_CODE, ScheduleTasks } from '../fixtures/schedule-tasks.js';
import { backends, type TestBackend } from '../support/backends.js';
import type { ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { ownServers } from '../support/own-servers.js';
import { flawsOf, ScheduleProcesses, sentJobs, settle, type SentJob } from '../support/schedule-processes.js';
import { isFull, itIf, runsOn, sized } from '../support/test-form.js';

const PROCESSES = 4;
/** Of those that all end and boot at once. */
const ROLLED = sized(PROCESSES, 3);
const TIME = isFull ? 15 * 60_000 : 180_000;
const FLAWLESS = { gaps: [], doubles: [] };
const tick = task(ScheduleTasks, 'tick');
const hold = task(ScheduleTasks, 'hold');

const timesOf = (sent: readonly SentJob[]): number[] => sent.map(({ at }) => at);
const serverBackends = backends.filter(({ name }) => name !== 'embedded');

/** Until the clock on the wall has gone over so many whole seconds. */
async function untilPassed(seconds: number, since = Date.now()): Promise<void> {
  await eventually(() => Date.now() - since > seconds * 1_000, { timeout: (seconds + 60) * 1_000 });
}

// `describe.each` refuses an empty table: an embedded store has one process at a time.
if (serverBackends.length > 0) {
  describe.each(serverBackends)('schedules of several processes on $name', (backend) => {
    const processes = new ScheduleProcesses(backend);

    itIf(
      runsOn(backend, serverBackends, 0),
      '[S5] killed -9 at random: with all each second has one job, with skip at most one',
      async () => {
        const seed = isFull ? Date.now() : 1;
        console.log(`seed ${seed} on ${backend.name}`);
        const random = seededRandom(seed);
        const seconds = sized(20, 4);
        const { jobs, close } = await processes.openBeside();
        await jobs.schedules.create({ name: 'skips', task: tick, every: '1s', missed: 'skip' });
        let alive = await processes.startReady(PROCESSES);
        const begun = new Set(processes.ran(IN_CODE).map(({ at }) => at)).size;
        const isOver = (): boolean => new Set(processes.ran(IN_CODE).map(({ at }) => at)).size >= begun + seconds;
        let kills = 0;
        while (!isOver()) {
          const known = processes.ran().length;
          const more = random.between(2, 6);
          await eventually(() => processes.ran().length >= known + more, {
            timeout: 60_000,
            interval: random.between(5, 50),
          });
          const victim = busiest(alive, processes.ran().slice(known));
          await victim.kill('SIGKILL');
          kills++;
          alive = [...alive.filter((child) => child !== victim), processes.start()];
        }
        expect(kills).toBeGreaterThanOrEqual(sized(3, 1));
        const all = await settle(jobs, IN_CODE);
        const skips = await settle(jobs, 'skips');
        await Promise.all(alive.map((child) => child.kill('SIGTERM')));
        await close();

        expect({ seed, ...flawsOf(timesOf(all.sent)) }).toEqual({ seed, ...FLAWLESS });
        expect(all.sent.length).toBeGreaterThanOrEqual(seconds);
        expect(all.info).toMatchObject({ sent: all.sent.length, missedCount: 0 });
        expect(flawsOf(timesOf(skips.sent)).doubles).toEqual([]);
        for (const name of [IN_CODE, 'skips']) expect(processes.beganTwice(name)).toEqual([]);
      },
      TIME,
    );

    itIf(
      runsOn(backend, serverBackends, 1),
      '[S5] ended and booted again and again, all at once: none stops, and none fires twice',
      async () => {
        const before = await processes.open(false);
        const made = await before.jobs.schedules.create({ name: 'made', task: tick, every: '1s', missed: 'all' });
        await before.close();
        let alive = await processes.startReady(ROLLED);
        for (let cycle = 0; cycle < sized(30, 1); cycle++) {
          const known = processes.ran().length;
          await eventually(() => processes.ran().length > known, { timeout: 60_000 });
          // The new ones boot while the old ones end.
          const [exits, next] = await Promise.all([
            Promise.all(alive.map((child) => child.kill('SIGTERM'))),
            processes.startReady(ROLLED),
          ]);
          expect(exits).toEqual(alive.map(() => ({ code: null, signal: 'SIGTERM' })));
          alive = next;
        }
        const known = processes.ran().length;
        await eventually(() => processes.ran().length > known + 3, { timeout: 60_000 });
        const { jobs, close } = await processes.openBeside();
        for (const name of [IN_CODE, 'made']) {
          const { info, sent } = await settle(jobs, name);
          expect({ name, ...flawsOf(timesOf(sent)) }).toEqual({ name, ...FLAWLESS });
          expect(info).toMatchObject({ sent: sent.length, missedCount: 0 });
          if (name === 'made') expect(info.createdAt).toBe(made.createdAt);
          expect(processes.beganTwice(name)).toEqual([]);
        }
        await Promise.all(alive.map((child) => child.kill('SIGTERM')));
        await close();
      },
      TIME,
    );
  });
}

// A describe without tests may not have hooks.
const disturbed = backends.filter((backend) => [0, 2].some((n) => runsOn(backend, backends, n)));
describe.each(disturbed)('schedules on $name', (backend) => {
  const processes = new ScheduleProcesses(backend);

  itIf(
    runsOn(backend, backends, 0),
    '[S5] [S4] a slow task that has all slots of the queue delays none',
    async () => {
      const options = { queues: { default: { concurrency: 2 }, other: {} } };
      const { jobs, close } = await startJobsApp({ backend, providers: [ScheduleTasks], options });
      await jobs.enqueueMany([hold, hold, hold].map((each) => ({ task: each })));
      const count = async (state: 'active' | 'wait'): Promise<number> =>
        (await jobs.queue('default').getJobCounts(state))[state]!;
      await eventually(async () => (await count('active')) === 2);
      for (const [name, queue] of [
        ['full', 'default'],
        ['free', 'other'],
      ] as const) {
        // prettier-ignore
        await jobs.schedules.create({ name, task: tick, queue, every: '1s', missed: 'all' });
      }
      const runs = async (name: string) => (await jobs.schedules.get(name))!.runs.toReversed();
      await eventually(async () => (await runs('full')).length > 5, { timeout: 60_000 });
      const [full, free] = await Promise.all([runs('full'), runs('free')]);
      expect(await count('active')).toBe(2);
      expect(processes.ran('full')).toEqual([]);
      const times = full.map(({ scheduledFor }) => Date.parse(scheduledFor));
      expect(flawsOf(times)).toEqual(FLAWLESS);
      // Where nobody holds up anything, the second after the next has not come when this one is sent.
      for (const run of full) {
        const later = free.find(
          ({ scheduledFor }) => Date.parse(scheduledFor) === Date.parse(run.scheduledFor) + 2_000,
        );
        if (later) expect(Date.parse(run.sentAt)).toBeLessThan(Date.parse(later.sentAt));
      }
      for (const name of ['full', 'free']) await jobs.schedules.pause(name);
      processes.released.reach();
      await close();
    },
    TIME,
  );

  itIf(
    runsOn(backend, backends, 2),
    '[S5] a fleet that is down comes back, and makes up for it by the policy of each',
    async () => {
      const policies = ['all', 'run-once', 'skip'] as const;
      const first = await processes.open(true);
      for (const missed of policies)
        await first.jobs.schedules.create({ name: missed, task: tick, every: '1s', missed });
      await eventually(() => policies.every((name) => processes.ran(name).length > 0), { timeout: 60_000 });
      await first.close();
      const last = new Map(policies.map((name) => [name, Math.max(...processes.ran(name).map(({ at }) => at))]));
      await untilPassed(sized(10, 4));
      const second = await processes.open(true);
      const isBack = (name: (typeof policies)[number]): boolean =>
        processes.ran(name).filter(({ at }) => at > last.get(name)!).length >= sized(10, 4);
      await eventually(() => policies.every(isBack), { timeout: 60_000 });
      for (const name of policies) {
        const { info, sent } = await settle(second.jobs, name);
        const times = timesOf(sent);
        const seconds = (times.at(-1)! - times[0]!) / 1_000 + 1;
        const { gaps, doubles } = flawsOf(times);
        expect({ name, doubles, gaps: name === 'all' ? gaps : [] }).toEqual({ name, doubles: [], gaps: [] });
        if (name !== 'all') expect(gaps.length).toBeGreaterThan(0);
        expect({ name, settled: info.sent + info.missedCount }).toEqual({ name, settled: seconds });
        expect(info.sent).toBe(sent.length);
        expect(processes.beganTwice(name)).toEqual([]);
      }
      await second.close();
    },
    TIME,
  );
});

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (ownServers.length > 0) {
  describe.each(ownServers)('schedules while their $name is restarted', ({ name, start, url }) => {
    itIf(
      runsOn(name, ownServers.map((server) => server.name), 1), // prettier-ignore
      '[S5] go on, and each second has one job',
      async () => {
        ScheduleTasks.ledger = undefined;
        const server = await start();
        const own: TestBackend = { name, connection: () => url(server.port) };
        const options = { connectTimeout: '500ms', lease: '2s' };
        const { jobs, close } = await startJobsApp({ backend: own, providers: [ScheduleTasks], options });
        await jobs.schedules.create({ name: 'restarted', task: tick, every: '1s', missed: 'all' });
        const sent = () => eventually(() => sentJobs(jobs, 'restarted'), { timeout: 60_000 });
        for (let round = 0; round < sized(3, 1); round++) {
          const known = (await sent()).length;
          await eventually(async () => (await sent()).length > known + 1, { timeout: 60_000 });
          await server.kill();
          await untilPassed(2);
          await server.restart();
        }
        const known = (await sent()).length;
        await eventually(async () => (await sent()).length > known + 3, { timeout: 60_000 });
        const settled = await settle(jobs, 'restarted');
        expect(flawsOf(timesOf(settled.sent))).toEqual(FLAWLESS);
        expect(settled.info).toMatchObject({ sent: settled.sent.length, missedCount: 0 });
        await close();
        await server.stop();
      },
      TIME,
    );
  });
}

/** The one that has begun most of the tasks since. */
function busiest(alive: readonly ChildHandle[], ran: readonly { pid: number }[]): ChildHandle {
  const count = ({ pid }: ChildHandle): number => ran.filter((entry) => entry.pid === pid).length;
  return alive.toSorted((a, b) => count(b) - count(a))[0]!;
}
