import { JobsService, type FleetProcess, type JobsModuleOptions } from 'nestjs-jobs';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { gated, Lanes, numbers, run, start } from '../support/lanes.js';

beforeEach(() => Lanes.reset());

// An embedded store has one process at a time, and `describe.each` refuses an empty table.
const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('control of several processes on $name', (backend) => {
    const apps: JobsApp[] = [];
    afterEach(async () => {
      Lanes.gate.reach();
      await Promise.all(apps.splice(0).map((app) => app.close()));
    });

    async function startTwo(first: JobsModuleOptions, second: JobsModuleOptions): Promise<[JobsApp, JobsApp]> {
      const namespace = uniqueNamespace();
      const one = await start(backend, { namespace, ...first });
      apps.push(one);
      const two = await start(backend, { namespace, ...second });
      apps.push(two);
      return [one, two];
    }

    async function processesOf(jobs: JobsService): Promise<[FleetProcess, FleetProcess]> {
      return eventually(async () => {
        const processes = await jobs.fleet.processes();
        return processes.length === 2 && (processes as [FleetProcess, FleetProcess]);
      });
    }

    it('[M5] one that is paused leaves its share to the other, at once', async () => {
      const [one] = await startTwo({}, {});
      const [first] = await processesOf(one.jobs);
      await one.jobs.fleet.pauseProcess(first.id);
      const texts = numbers(100);
      expect(await run(one.jobs, texts)).toEqual(texts);
      await one.jobs.enqueueMany(Array.from({ length: 4 }, () => ({ task: gated })));
      await eventually(() => expect(Lanes.running).toBe(2));
      const [, second] = await processesOf(one.jobs);
      expect((await one.jobs.fleet.active()).map(({ process }) => process)).toEqual([second.id, second.id]);
      await one.jobs.fleet.resumeProcess(first.id);
      await eventually(() => expect(Lanes.running).toBe(4));
    });

    it('[M5] another concurrency is that of one process, or of all', async () => {
      const [one] = await startTwo({}, {});
      const [first] = await processesOf(one.jobs);
      await one.jobs.enqueueMany(Array.from({ length: 12 }, () => ({ task: gated })));
      await eventually(() => expect(Lanes.running).toBe(4));
      await one.jobs.fleet.setConcurrency('lanes', 4, { process: first.id });
      await eventually(() => expect(Lanes.running).toBe(6));
      expect(await one.jobs.fleet.setConcurrency('lanes', 5)).toHaveLength(2);
      await eventually(() => expect(Lanes.running).toBe(10));
    });

    it('[C4] the global concurrency holds over processes with 8 and with 32 slots, under load', async () => {
      const lanes = { globalConcurrency: 6 };
      const [one] = await startTwo(
        { queues: { lanes: { concurrency: 8, ...lanes } } },
        { queues: { lanes: { concurrency: 32, ...lanes } } },
      );
      const texts = numbers(400);
      expect(await run(one.jobs, texts)).toEqual(texts);
      expect(Lanes.most).toBeLessThanOrEqual(6);
      expect(Lanes.most).toBeGreaterThan(1);
      expect(Lanes.ran).toHaveLength(400);
    });

    it('[C4] what was set at run time stays until the code declares otherwise', async () => {
      const namespace = uniqueNamespace();
      const boot = async (globalConcurrency?: number): Promise<JobsApp> => {
        const lanes = { concurrency: 2, ...(globalConcurrency !== undefined && { globalConcurrency }) };
        const app = await start(backend, { namespace, queues: { lanes } });
        apps.push(app);
        return app;
      };
      const limit = (app: JobsApp): Promise<number | undefined> => app.jobs.fleet.globalConcurrency('lanes');
      const first = await boot(5);
      await eventually(async () => expect(await limit(first)).toBe(5));
      await first.jobs.fleet.setGlobalConcurrency('lanes', 7);
      const again = await boot(5);
      await run(again.jobs, ['one']);
      expect(await limit(again)).toBe(7);
      const other = await boot(6);
      await eventually(async () => expect(await limit(other)).toBe(6));
      const without = await boot();
      await run(without.jobs, ['two']);
      expect(await limit(without)).toBe(6);
    });
  });
}
