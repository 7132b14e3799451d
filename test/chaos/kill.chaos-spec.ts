import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, task, type JobsModuleOptions } from 'nestjs-jobs';
import type { ChaosReport, ChaosRequest } from '../chaos-runs/chaos-run.js';
import { ChaosModule } from '../chaos-runs/chaos-module.js';
import { ChaosTasks, expectedValue, POISON_ATTEMPTS } from '../chaos-runs/chaos-tasks.js';
import { Fleet } from '../chaos-runs/fleet.js';
import { fence } from '../chaos-runs/fence.js';
import { freeze } from '../chaos-runs/freeze.js';
import { kill } from '../chaos-runs/kill.js';
import { readLedger } from '../chaos-runs/ledger.js';
import { poison } from '../chaos-runs/poison.js';
import { crashOptions, CrashTasks } from '../fixtures/crash-tasks.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { isFull, itIf, runsOn, sized } from '../support/test-form.js';

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

const CHAOS_WORKER = new URL('../../dist/fixtures/test/fixtures/chaos-worker.js', import.meta.url);
const TIME = isFull ? 15 * 60_000 : 120_000;

const serverBackends = backends.filter(({ name }) => name !== 'embedded');
const embedded = backends.filter(({ name }) => name === 'embedded');

// `describe.each` refuses an empty table: a run for one backend has nothing to do in the other's tests.
if (serverBackends.length > 0) {
  describe.each(serverBackends)('worker processes on $name', (backend) => {
    async function runChaos(
      run: (request: ChaosRequest) => Promise<ChaosReport>,
      size: Pick<ChaosRequest, 'jobs' | 'workers'> & { kills?: number },
    ): Promise<ChaosReport['counts']> {
      const store = { connection: backend.connection()!, namespace: uniqueNamespace() };
      const seed = isFull ? Date.now() : 1;
      const { broken, counts, directory } = await run({ store, workerModule: CHAOS_WORKER, seed, kills: 0, ...size });
      // What is left of a run that went wrong tells why it did.
      expect({ seed, directory, broken }).toEqual({ seed, directory, broken: [] });
      await rm(directory, { recursive: true });
      return counts;
    }

    itIf(
      runsOn(backend, serverBackends, 1),
      '[C2] [I1] [I2] killed -9 at random while jobs are enqueued: all acknowledged ones end, and payments are made once',
      async () => {
        const size = isFull ? { jobs: 3_000, kills: 30, workers: 3 } : { jobs: 90, kills: 3, workers: 2 };
        const { acknowledged, interrupted_runs, ...counts } = await runChaos(kill, size);
        expect(acknowledged).toBeGreaterThan(size.jobs);
        expect(interrupted_runs).toBeGreaterThan(0);
        expect(counts['payments_run_again']).toBeGreaterThan(0);
        expect(counts['charges']).toBe(counts['payments']);
        expect(counts['deduplicated']).toBe(counts['payment_jobs']! - counts['payments']!);
      },
      TIME,
    );

    itIf(
      runsOn(backend, serverBackends, 0),
      '[C2] stopped until another one has its job: all that the late run says is refused, also its result',
      async () => {
        const jobs = isFull ? 10 : 2;
        const refused = { late_progress_refused: jobs, late_log_refused: jobs, late_enqueue_refused: jobs };
        const all = { ...refused, late_result_refused: jobs };
        expect(await runChaos(freeze, { jobs, workers: 2 })).toMatchObject({ frozen: jobs, ...all });
      },
      TIME,
    );

    itIf(
      runsOn(backend, serverBackends, 1),
      '[I3] stopped until others have the lock that it had: its late write is refused, and its signal aborted',
      async () => {
        const jobs = isFull ? 10 : 3;
        const counts = await runChaos(fence, { jobs, workers: 2 });
        expect(counts).toMatchObject({ frozen: jobs, late_writes_refused: jobs, waiters_served: jobs * 4 });
      },
      TIME,
    );

    itIf(
      runsOn(backend, serverBackends, 2),
      '[R7] a task that kills its process in every run fails as stalled, and the other jobs of that worker end well',
      async () => {
        const jobs = sized(6, 1);
        const { deaths, ...counts } = await runChaos(poison, { jobs, workers: 1 });
        expect(counts).toMatchObject({
          poisoned_failed: jobs,
          poisoned_handled: jobs,
          succeeded: counts['acknowledged'],
        });
        expect(deaths).toBeGreaterThan(1);
      },
      TIME,
    );
  });
}

if (embedded.length > 0) {
  describe('the process of the embedded backend killed -9', () => {
    let dataDir: string;
    let store: Store;

    beforeEach(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'jobs-chaos-'));
      store = { connection: embeddedIn(dataDir), namespace: uniqueNamespace() };
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

    // On servers it is more than one such job, and its failure is handled too.
    itIf(
      isFull || serverBackends.length === 0,
      '[R7] by a task in every run: that job fails as stalled, and the other jobs end well',
      async () => {
        const directory = await mkdtemp(join(tmpdir(), 'jobs-chaos-ledger-'));
        const settings = { connection: embeddedIn(dataDir), namespace: uniqueNamespace(), concurrency: 5 };
        const chaos = { ...settings, ledger: directory };
        const openStore = () => NestFactory.createApplicationContext(ChaosModule.of(chaos, false), { logger: false });

        const producer = await openStore();
        const jobs = producer.get(JobsService);
        const { id } = await jobs.enqueue(task(ChaosTasks, 'poison'), { throwsFirst: false });
        const orders = Array.from({ length: 10 }, (_, n) => ({
          task: task(ChaosTasks, 'work'),
          payload: { n, takes: 20 },
        }));
        const others = await jobs.enqueueMany(orders);
        await producer.close();

        const log = join(directory, 'workers.log');
        const fleet = new Fleet(CHAOS_WORKER, chaos, 1, log);
        const hasFinished = (other: string): boolean =>
          readLedger(directory).some((entry) => entry.what === 'finished' && entry.id === other);
        await eventually(
          async () =>
            /failed for good\. JobStalledError/.test(await readFile(log, 'utf8')) &&
            others.every((other) => hasFinished(other.id)),
          { timeout: 90_000 },
        );
        await fleet.stop();
        expect(fleet).toMatchObject({ deaths: POISON_ATTEMPTS, endedByThemselves: [] });

        const survivor = await openStore();
        const statusOf = (job: string) => survivor.get(JobsService).job(job).status();
        expect(await statusOf(id)).toMatchObject({
          state: 'failed',
          attempt: POISON_ATTEMPTS,
          error: { name: 'JobStalledError' },
        });
        for (const [n, other] of others.entries()) {
          const { attempt, ...status } = await statusOf(other.id);
          expect(status).toMatchObject({ state: 'succeeded', result: { value: expectedValue(n), attempt } });
        }
        await survivor.close();
        await rm(directory, { recursive: true });
      },
    );

    it('a second process waits for the first to leave the directory', async () => {
      const first = startProcess(store);
      await first.waitForLine(/^READY$/);
      const second = startProcess(store);
      await second.waitForLine(new RegExp(`Waiting for the process with pid ${first.pid} to leave ${dataDir}`));
      await first.kill('SIGTERM');
      await second.waitForLine(/^READY$/);
      expect(await second.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    });

    // The directory's lock is waited for longer than all else here takes.
    if (isFull) {
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
    }

    // Once under load it is killed in `disturbed-load`, which looks at more.
    itIf(isFull, '[C2] under load, again and again: nothing that was acknowledged is lost', async () => {
      const rounds = 10;
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
