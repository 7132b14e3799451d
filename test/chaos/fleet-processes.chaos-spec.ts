import { task, type FleetProcess } from 'nestjs-jobs';
import { FleetTasks, SETTINGS_VARIABLE, type FleetWorkerSettings } from '../fixtures/fleet-tasks.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Load } from '../support/load.js';
import { itIf, runsOn } from '../support/test-form.js';

const hold = task(FleetTasks, 'hold');
const quick = task(FleetTasks, 'quick');
const blocks = task(FleetTasks, 'blocks');

const ENDED_BY_SIGTERM = { code: null, signal: 'SIGTERM' };

// The embedded store is that of one process, and `describe.each` refuses an empty table.
const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('processes of a fleet on $name', (backend) => {
    let namespace: string;
    let admin: JobsApp;
    let children: ChildHandle[];

    beforeEach(async () => {
      namespace = uniqueNamespace();
      children = [];
      admin = await startJobsApp({
        backend,
        providers: [FleetTasks],
        options: { namespace, workers: false, lease: '3s' },
      });
    });
    afterEach(async () => {
      await Promise.all(children.map((child) => child.kill('SIGKILL')));
      await admin.close();
    });

    async function startWorker(settings: Partial<FleetWorkerSettings> = {}): Promise<ChildHandle> {
      const whole = { connection: backend.connection()!, namespace, lease: '3s', hooks: true, ...settings };
      const child = spawnFixture('fleet-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify(whole) } });
      children.push(child);
      await child.waitForLine(/^READY$/);
      return child;
    }

    const found = async ({ pid }: ChildHandle): Promise<FleetProcess | undefined> =>
      (await admin.jobs.fleet.processes()).find((process) => process.pid === pid);

    const processOf = (child: ChildHandle): Promise<FleetProcess> =>
      eventually(async () => (await found(child)) ?? null);

    const isGone = (child: ChildHandle): Promise<unknown> =>
      eventually(async () => (await found(child)) === undefined, { timeout: 30_000 });

    itIf(
      runsOn(backend, shared, 0),
      '[M4] one that is killed disappears, what it ran is run by nobody then, and later by another',
      async () => {
        const victim = await startWorker();
        const { id } = await processOf(victim);
        const job = await admin.jobs.enqueue(hold);
        await victim.waitForLine(/^HOLDS$/);
        expect(await admin.jobs.fleet.active()).toMatchObject([{ id: job.id, process: id, attempt: 1 }]);
        await victim.kill('SIGKILL');
        await isGone(victim);
        const [left] = await admin.jobs.fleet.active();
        expect(left).toMatchObject({ id: job.id, task: 'fleet.hold', attempt: 1 });
        expect(left).not.toHaveProperty('process');
        const other = await startWorker();
        await other.waitForLine(/^HOLDS$/);
        const { id: next } = await processOf(other);
        expect(await admin.jobs.fleet.active()).toMatchObject([{ id: job.id, process: next, attempt: 2 }]);
        void other.kill('SIGCONT');
        expect(await job.result({ timeout: '1m' })).toBe(other.pid);
      },
      120_000,
    );

    itIf(
      runsOn(backend, shared, 1),
      '[M4] one whose event loop is blocked does not answer a ping, and what it runs is told as its own',
      async () => {
        const [blocked, free] = [await startWorker({ lease: '1h' }), await startWorker({ lease: '1h' })];
        const [{ id }, { id: answering }] = [await processOf(blocked), await processOf(free)];
        await admin.jobs.fleet.pauseProcess(answering);
        const job = await admin.jobs.enqueue(blocks);
        await blocked.waitForLine(/^BLOCKS$/);
        const pongs = await admin.jobs.fleet.ping({ timeout: '1s' });
        expect(pongs.map(({ process }) => process)).toContain(answering);
        expect(pongs.map(({ process }) => process)).not.toContain(id);
        expect(await admin.jobs.fleet.active()).toMatchObject([{ id: job.id, process: id }]);
      },
      120_000,
    );

    itIf(
      runsOn(backend, shared, 2),
      '[M5] one of two that is shut down under load loses nothing, and the other goes on',
      async () => {
        const [first, second] = [await startWorker(), await startWorker()];
        const { id } = await processOf(first);
        await processOf(second);
        const load = new Load((n) => admin.jobs.enqueue(quick, { n }));
        await load.untilAcknowledged(200);
        expect((await admin.jobs.fleet.shutDown(id)).id).toBe(id);
        expect(await first.exited).toEqual(ENDED_BY_SIGTERM);
        expect(await found(first)).toBeUndefined();
        await load.untilAcknowledged(200);
        const acknowledged = await load.stop();
        const workers = new Set<unknown>();
        for (const { job } of acknowledged) {
          workers.add(await job.result({ timeout: '1m' }));
          expect((await job.status()).attempts).toHaveLength(1);
        }
        expect(workers).toEqual(new Set([first.pid, second.pid]));
        expect(await admin.jobs.fleet.ping()).toContainEqual(expect.objectContaining({ pid: second.pid }));
      },
      180_000,
    );

    itIf(
      runsOn(backend, shared, 3),
      '[M5] one in which nothing listens for SIGTERM ends what it runs before it ends',
      async () => {
        const worker = await startWorker({ hooks: false });
        const { id } = await processOf(worker);
        const job = await admin.jobs.enqueue(hold);
        await worker.waitForLine(/^HOLDS$/);
        await admin.jobs.fleet.shutDown(id);
        await eventually(async () => expect((await found(worker))?.draining).toBe(true));
        void worker.kill('SIGCONT');
        expect(await job.result({ timeout: '1m' })).toBe(worker.pid);
        expect(await worker.exited).toEqual(ENDED_BY_SIGTERM);
        await isGone(worker);
      },
      120_000,
    );
  });
}
