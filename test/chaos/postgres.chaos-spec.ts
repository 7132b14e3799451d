import { Injectable, type LoggerService } from '@nestjs/common';
import { BackendUnavailableError, Task, task, type PostgresPoolOptions } from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import pg from 'pg';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { Load } from '../support/load.js';
import { MemoryLogger } from '../support/memory-logger.js';

@Injectable()
class Echo {
  @Task({ retry: { attempts: 20, delay: 1 } })
  echo(n: number): number {
    return n;
  }
}

const echo = task(Echo, 'echo');

// `describe.each` refuses an empty table: a run for another backend has nothing to do here.
const table = backends.filter(({ name }) => name === 'postgres');
if (table.length > 0) {
  describe.each(table)('$name', () => {
    let admin: pg.Client;
    let namespace: string;

    beforeEach(async () => {
      namespace = uniqueNamespace();
      admin = new pg.Client(postgresUrl());
      await admin.connect();
    });
    afterEach(() => admin.end());

    async function startApp(postgres: PostgresPoolOptions | pg.Pool, logger: LoggerService | false = false) {
      const { app, jobs, close } = await startJobsApp({
        backend: { name: 'postgres', connection: () => ({ postgres }) },
        providers: [Echo],
        imports: [JobsHealthModule],
        options: { namespace, connectTimeout: 500 },
        logger,
      });
      const health = app.get(JobsHealthIndicator, { strict: false });
      const status = async (): Promise<unknown> => (await health.isHealthy('jobs'))['jobs']?.status;
      return { jobs, close, status, load: () => new Load((n) => jobs.enqueue(echo, n)) };
    }

    async function expectNoneLost(load: Load): Promise<void> {
      await load.untilAcknowledged(50);
      const acknowledged = await load.stop();
      const results = await Promise.all(acknowledged.map(({ job }) => job.result({ timeout: '1m' })));
      expect(results).toEqual(acknowledged.map(({ n }) => n));
    }

    /** How many connections were there to be ended. */
    async function terminate(applicationName: string): Promise<number> {
      const { rowCount } = await admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [applicationName],
      );
      return rowCount!;
    }

    it('[C9] connections ended by pg_terminate_backend under load, again and again: nothing acknowledged is lost', async () => {
      const application_name = namespace.slice(0, 40);
      const { status, load, close } = await startApp({ connectionString: postgresUrl(), application_name });
      const running = load();
      for (let round = 0; round < 10; round++) {
        await running.untilAcknowledged(20);
        expect(await terminate(application_name)).toBeGreaterThan(0);
      }
      await eventually(async () => expect(await status()).toBe('up'));
      await expectNoneLost(running);
      await close();
    });

    it('[A2] the listening connection ended: it comes back, and events that it missed are told', async () => {
      const application_name = namespace.slice(0, 40);
      const connection = { postgres: { connectionString: postgresUrl(), application_name } };
      const backend = await openBackend(resolveOptions({ connection, namespace }), new MemoryLogger());
      const queue = backend.createQueue('listened');
      const events = backend.createQueueEvents('listened');
      const completed: string[] = [];
      events.on('completed', ({ jobId }) => completed.push(jobId));
      const worker = backend.createWorker('listened', async (_job, _token) => null, { concurrency: 2, lease: 30_000 });
      const running = worker.run();
      for (let round = 0; round < 5; round++) {
        // There is one to be ended only when it is back.
        await eventually(async () => (await terminate(`${application_name} listener`)) === 1);
        const ids = Array.from({ length: 20 }, (_, n) => `job-${round}-${n}`);
        await queue.addBulk(ids.map((jobId) => ({ name: 'job', data: {}, opts: { jobId } })));
        if (round > 0) await eventually(() => expect(completed).toEqual(expect.arrayContaining(ids)));
        // The first round's may have ended before the stream was opened.
        else await eventually(async () => (await queue.getCompletedCount()) === 20);
      }
      await worker.close();
      await running;
      await Promise.all([events.close(), queue.close()]);
      await backend.close(5_000);
    });

    it('[C9] statements that time out: a typed error, health is down, and nothing acknowledged is lost', async () => {
      const { jobs, status, load, close } = await startApp({ connectionString: postgresUrl(), statement_timeout: 200 });
      const running = load();
      await running.untilAcknowledged(50);
      for (let round = 0; round < 3; round++) {
        await admin.query(`BEGIN; LOCK TABLE ${namespace}.job IN ACCESS EXCLUSIVE MODE`);
        await expect(jobs.enqueue(echo, 0)).rejects.toThrow(BackendUnavailableError);
        expect(await status()).toBe('down');
        await admin.query('COMMIT');
        await eventually(async () => expect(await status()).toBe('up'));
        await running.untilAcknowledged(50);
      }
      await expectNoneLost(running);
      await close();
    });

    it('[C9] a pool with all its clients taken: health is down meanwhile, and nothing acknowledged is lost', async () => {
      const pool = new pg.Pool({ connectionString: postgresUrl(), max: 3 });
      const { jobs, status, load, close } = await startApp(pool);
      const running = load();
      for (let round = 0; round < 3; round++) {
        await running.untilAcknowledged(50);
        const taken = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
        await expect(jobs.enqueue(echo, 0)).rejects.toThrow(BackendUnavailableError);
        expect(await status()).toBe('down');
        for (const client of taken) client.release();
        await eventually(async () => expect(await status()).toBe('up'));
      }
      await expectNoneLost(running);
      await close();
      await pool.end();
    });

    it('[C9] tables that are gone: health is down and says so, and no worker asks in a loop', async () => {
      const logger = new MemoryLogger();
      const { status, close } = await startApp({ connectionString: postgresUrl() }, logger);
      expect(await status()).toBe('up');
      // It may lose a deadlock to a statement that is under way.
      await eventually(() => admin.query(`DROP SCHEMA ${namespace} CASCADE`));
      const complaints = (): string[] => logger.text().match(/does not exist/g) ?? [];
      await eventually(() => expect(complaints().length).toBeGreaterThan(0));
      expect(await status()).toBe('down');
      expect(complaints().length).toBeLessThan(5);
      await close();
    });
  });
}
