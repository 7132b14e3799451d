import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, task, type JobsModuleOptions } from 'nestjs-jobs';
import { crashOptions, CrashTasks } from '../fixtures/crash-tasks.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';

type Store = Pick<JobsModuleOptions, 'connection' | 'namespace'>;

function startProcess({ connection, namespace }: Store, env: NodeJS.ProcessEnv = {}): ChildHandle {
  const shared = { CRASH_CONNECTION: JSON.stringify(connection), CRASH_NAMESPACE: namespace };
  return spawnFixture('crash-worker', { env: { ...shared, ...env } });
}

/** This process's own access to the store, without workers unless it says so. */
async function open(store: Store, workers: boolean): Promise<{ jobs: JobsService; close(): Promise<void> }> {
  process.env['CRASH_CONNECTION'] = JSON.stringify(store.connection);
  process.env['CRASH_NAMESPACE'] = store.namespace;
  const imports = [JobsModule.forRoot({ ...crashOptions(), workers })];
  const app = (await Test.createTestingModule({ providers: [CrashTasks], imports }).compile()).createNestApplication({
    logger: false,
  });
  await app.init();
  return { jobs: app.get(JobsService), close: () => app.close() };
}

const serverBackends = backends.filter(({ name }) => name !== 'embedded');
const embedded = backends.filter(({ name }) => name === 'embedded');

// `describe.each` refuses an empty table: a run for one backend has nothing to do in the other's tests.
if (serverBackends.length > 0) {
  describe.each(serverBackends)('a worker process of $name killed -9', (backend) => {
    it('[C2] in the middle of a task: the job runs again in another process and completes', async () => {
      const store = { connection: backend.connection()!, namespace: uniqueNamespace() };
      const producer = await open(store, false);
      const first = startProcess(store);
      await first.waitForLine(/^READY$/);
      const job = await producer.jobs.enqueue(task(CrashTasks, 'hangOnce'));
      await first.waitForLine(new RegExp(`^RUN ${job.id} 1$`));
      expect(await job.status()).toMatchObject({ state: 'running', attempt: 1 });
      await first.kill('SIGKILL');
      const second = startProcess(store);
      expect(await job.result({ timeout: '1m' })).toEqual({ attempt: 2, pid: second.pid });
      expect(second.stdout).toContain(`RUN ${job.id} 2`);
      expect(await job.status()).toMatchObject({ state: 'succeeded', attempt: 2 });
      await second.kill();
      await producer.close();
    });
  });
}

if (embedded.length > 0) {
  describe('the process of the embedded backend killed -9', () => {
    let dataDir: string;
    let store: Store;

    beforeEach(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'jobs-chaos-'));
      store = { connection: { embedded: { dataDir } }, namespace: uniqueNamespace() };
    });
    afterEach(() => rm(dataDir, { recursive: true, force: true }));

    it('[C2] in the middle of a task: the job runs again after the restart', async () => {
      const producer = await open(store, false);
      const job = await producer.jobs.enqueue(task(CrashTasks, 'hangOnce'));
      await producer.close();
      const victim = startProcess(store);
      await victim.waitForLine(new RegExp(`^RUN ${job.id} 1$`));
      await victim.kill('SIGKILL');
      const survivor = await open(store, true);
      expect(await survivor.jobs.job(job.id).result({ timeout: '1m' })).toEqual({ attempt: 2, pid: process.pid });
      await survivor.close();
    });

    it('a second process waits for the first to leave the directory', async () => {
      const first = startProcess(store);
      await first.waitForLine(/^READY$/);
      const second = startProcess(store);
      await second.waitForLine(new RegExp(`Waiting for the process with pid ${first.pid} to leave ${dataDir}`));
      await first.kill('SIGTERM');
      await second.waitForLine(/^READY$/);
      expect(await second.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    });

    it('a second process is refused with the pid of the first, which works on undisturbed', async () => {
      const first = startProcess(store, { CRASH_PRODUCERS: '1' });
      await first.waitForLine(/^READY$/);
      const second = startProcess(store, { CRASH_GRACE: '500ms' });
      expect((await second.exited).code).not.toBe(0);
      expect(second.output()).toMatch(new RegExp(`in use by the process with pid ${first.pid} `));
      const acknowledged = first.stdout.length;
      await eventually(() => expect(first.stdout.length).toBeGreaterThan(acknowledged + 10));
      await first.kill('SIGKILL');
    });

    it('[C2] under load, again and again: nothing that was acknowledged is lost', async () => {
      const rounds = process.env['JOBS_TEST_FULL'] ? 10 : 3;
      const acknowledged = new Map<string, number>();
      for (let round = 0; round < rounds; round++) {
        const victim = startProcess(store, { CRASH_PRODUCERS: '8' });
        await victim.waitForLine(/^READY$/);
        const lines = 100 + round * 37;
        await eventually(() => expect(victim.stdout.length).toBeGreaterThan(lines), { timeout: 60_000 });
        await victim.kill('SIGKILL');
        for (const line of victim.stdout) {
          const [, id, n] = /^ACK (\S+) (\d+)$/.exec(line) ?? [];
          if (id) acknowledged.set(id, Number(n));
        }
      }
      expect(acknowledged.size).toBeGreaterThan(rounds * 90);
      const survivor = await open(store, true);
      for (const [id, n] of acknowledged) expect(await survivor.jobs.job(id).result({ timeout: '1m' })).toBe(n * 2);
      await survivor.close();
    });
  });
}
