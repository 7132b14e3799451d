import { Injectable } from '@nestjs/common';
import {
  BackendUnavailableError,
  JobsRunner,
  RetryLater,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobsModuleOptions,
  type PostgresPoolOptions,
} from 'nestjs-jobs';
import pg from 'pg';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { sized } from '../support/test-form.js';

@Injectable()
class Echo {
  @Task({ retry: { attempts: 1 } })
  echo(n: number): number {
    return n;
  }
}

const echo = task(Echo, 'echo');

@Injectable()
class PutsItselfBack {
  static runs = 0;

  @Task({ retry: { attempts: 1 } })
  snoozes(_payload: undefined, job: JobContext): number {
    if (++PutsItselfBack.runs === 1) throw new Snooze(1);
    return job.attempt;
  }

  @Task({ retry: { attempts: 3 } })
  fails(_payload: string | undefined, job: JobContext): number {
    if (job.attempt === 1) throw new RetryLater(1, { message: 'once' });
    return job.attempt;
  }
}

// `describe.each` refuses an empty table: a run for another backend has nothing to do here.
const table = backends.filter(({ name }) => name === 'postgres');
if (table.length > 0) {
  describe.each(table)('connections to $name that fail', () => {
    /** Where a test needs none of its own: the migrations are most of a boot. */
    const shared = uniqueNamespace();
    let proxy: TcpProxy;
    let admin: pg.Client;

    beforeEach(async () => {
      proxy = await TcpProxy.to(Number(new URL(postgresUrl()).port));
      admin = new pg.Client(postgresUrl());
      await admin.connect();
    });
    afterEach(async () => {
      await proxy.close();
      await admin.end();
    });

    function start(
      postgres: PostgresPoolOptions | pg.Pool | string,
      options: JobsModuleOptions = {},
    ): Promise<JobsApp> {
      const backend = { name: 'postgres' as const, connection: () => ({ postgres }) };
      const whole = { connectTimeout: 500, namespace: shared, ...options };
      return startJobsApp({ backend, providers: [Echo, PutsItselfBack], options: whole });
    }

    function throughProxy(): string {
      return postgresUrl().replace(/:\d+\//, `:${proxy.port}/`);
    }

    async function expectToWork({ jobs }: JobsApp): Promise<void> {
      const job = await eventually(() => jobs.enqueue(echo, 7));
      expect(await job.result()).toBe(7);
    }

    it.each([
      ['what the task said', /update_progress/],
      ['when it is due', /move_to_delayed/],
    ])('[C9] as a Snooze is stored, cut at %s: no attempt is spent, and the job runs again', async (_what, pattern) => {
      PutsItselfBack.runs = 0;
      const { jobs, close } = await start(throughProxy());
      await (await eventually(() => jobs.enqueue(echo, 1))).result();
      let cuts = 0;
      proxy.cutWhen = (data) => pattern.test(data) && ++cuts <= 2;
      const job = await jobs.enqueue(task(PutsItselfBack, 'snoozes'));
      expect(await job.result({ timeout: '1m' })).toBe(1);
      expect(await job.status()).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
      expect({ cuts: cuts > 1, runs: PutsItselfBack.runs }).toEqual({ cuts: true, runs: 2 });
      await close();
    });

    it('[C9] as the end of an attempt is stored: the attempt is told once', async () => {
      const { jobs, close } = await start(throughProxy());
      await (await eventually(() => jobs.enqueue(echo, 1))).result();
      let cuts = 0;
      proxy.cutWhen = (data) => /move_to_delayed/.test(data) && ++cuts <= 2;
      const job = await jobs.enqueue(task(PutsItselfBack, 'fails'));
      expect(await job.result({ timeout: '1m' })).toBe(2);
      const { attempt, attempts } = await job.status();
      expect({ attempt, told: attempts.map((each) => [each.attempt, each.error?.message]) }).toEqual({
        attempt: 2,
        told: [
          [1, 'once'],
          [2, undefined],
        ],
      });
      expect(cuts).toBeGreaterThan(1);
      await close();
    });

    it('[C9] stored, and the job fetched in the same step, but no answer: the end of an attempt is told once', async () => {
      const { jobs, close } = await start(throughProxy(), { lease: '1s', queues: { default: { concurrency: 1 } } });
      await (await eventually(() => jobs.enqueue(echo, 1))).result();
      let isStored = false;
      let lost = 0;
      proxy.cutWhen = (data) => {
        isStored ||= /move_to_delayed/.test(data);
        return false;
      };
      proxy.cutWhenAnswered = (data) => isStored && data.includes('as it was enqueued') && lost++ === 0;
      const job = await jobs.enqueue(task(PutsItselfBack, 'fails'), 'as it was enqueued');
      // Whoever asks for the result earlier may be answered with the payload, and lose that instead of the fetch.
      await eventually(() => lost > 0);
      const ran = await job.result({ timeout: '1m' });
      const { attempt, attempts } = await job.status();
      // Nobody heard of the second fetch: a stall.
      const told = attempts.map((each) => [each.attempt, each.stalled ?? each.error?.message]);
      expect({ ran, attempt, told }).toEqual({
        ran: 3,
        attempt: 3,
        told: [
          [1, 'once'],
          [2, true],
          [3, undefined],
        ],
      });
      await close();
    });

    it('[C8] a fetch that is answered after the drain: the job is not begun, and another process has it', async () => {
      const namespace = uniqueNamespace();
      const { app, jobs, close } = await start(postgresUrl(), { namespace, queues: { held: {} } });
      // Fetches from a queue with a limit for the fleet come one after the other.
      await jobs.queue('held').setGlobalConcurrency(5);
      const lock = `(hashtext('bullmq:concurrency:held'))`;
      await admin.query(`SELECT pg_advisory_lock${lock}`);
      PutsItselfBack.runs = 0;
      await jobs.enqueue(task(PutsItselfBack, 'snoozes'), undefined, { queue: 'held' });
      await eventually(async () => {
        const { rows } = await admin.query(
          `SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%move_to_active%'`,
        );
        return rows.length > 0;
      });
      await app.get(JobsRunner).drain();
      await admin.query(`SELECT pg_advisory_unlock${lock}`);
      const state = await eventually(async () => {
        const { rows } = await admin.query<{ state: string }>(
          `SELECT state FROM ${namespace}.job WHERE attempts_started > 0 AND state <> 'active'`,
        );
        return rows[0]?.state ?? null;
      });
      expect({ state, runs: PutsItselfBack.runs }).toEqual({ state: 'waiting', runs: 0 });
      await close();
    });

    it.each([
      ['while it sets up a client', /SET search_path/],
      ['in the midst of the migrations', /CREATE TABLE job /],
    ])('[C9] at boot, %s: the app starts, and works when it can', async (_when, pattern) => {
      let cuts = 0;
      proxy.cutWhen = (data) => pattern.test(data) && ++cuts <= 2;
      const app = await start(throughProxy(), { namespace: uniqueNamespace() });
      await expectToWork(app);
      expect(cuts).toBeGreaterThan(0);
      await app.close();
    });

    it('[C9] without a word: typed errors meanwhile, and work goes on over new connections', async () => {
      const app = await start({ connectionString: throughProxy(), query_timeout: 500 });
      await expectToWork(app);
      proxy.freeze();
      await expect(app.jobs.enqueue(echo, 1)).rejects.toThrow(BackendUnavailableError);
      proxy.thaw();
      await expectToWork(app);
      await app.close();
    });

    it('[C8] without a word while the app closes: it closes all the same', async () => {
      const app = await start({ connectionString: throughProxy() });
      await expectToWork(app);
      proxy.freeze();
      await app.close();
    });

    it("[C8] without a word while the app closes: it keeps none of the clients of the app's pool", async () => {
      const pool = new pg.Pool({ connectionString: throughProxy() });
      pool.on('error', () => undefined);
      const app = await start(pool);
      await expectToWork(app);
      proxy.freeze();
      await expect(app.jobs.enqueue(echo, 1)).rejects.toThrow(BackendUnavailableError);
      expect(pool.totalCount).toBeGreaterThan(pool.idleCount);
      await app.close();
      // One that the pool was making is given up only after a while.
      await eventually(() => pool.totalCount === pool.idleCount, { timeout: 40_000 });
      await pool.end();
    });

    it("[C9] without a word as the app's pool makes one, which sets no limit: given up long before the server would", async () => {
      let stranded: object | undefined;
      proxy.strandWhen = (_data, connection) => (stranded ??= connection) === connection;
      const pool = new pg.Pool({ connectionString: throughProxy() });
      pool.on('error', () => undefined);
      const jobs = await start(pool);
      await expectToWork(jobs);
      expect(stranded).toBeDefined();
      await jobs.close();
      // A pool does not end before its last client has connected. A server waits a minute for a client to say who it is.
      let hasEnded = false;
      void pool.end().then(() => (hasEnded = true));
      await eventually(() => hasEnded, { timeout: 40_000 });
    });

    it('[C9] all but the listening one: workers ask for jobs by themselves', async () => {
      const role = `few_${uniqueNamespace()}`.slice(0, 60);
      await admin.query(`CREATE ROLE ${role} LOGIN; GRANT CREATE ON DATABASE jobs TO ${role}`);
      const few = { connectionString: postgresUrl().replace('jobs@', `${role}@`), max: 2 };
      const app = await start(few, { namespace: uniqueNamespace() });
      await Promise.all([expectToWork(app), expectToWork(app), expectToWork(app)]);
      // The pool has its two by now, so that none is left for the third.
      await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT 2`);
      const listening = `usename = '${role}' AND query ~ '^(LISTEN|SELECT 1)'`;
      await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`);
      for (let n = 0; n < 3; n++) {
        const jobs = await Promise.all([1, 2, 3, 4].map((each) => app.jobs.enqueue(echo, each)));
        expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([1, 2, 3, 4]);
      }
      await app.close();
    });

    it('serializable by default: every job that ran well has succeeded', async () => {
      const isolated = (config: pg.PoolConfig) =>
        new pg.Pool({ ...config, options: '-c default_transaction_isolation=serializable' });
      const pool = isolated({ connectionString: postgresUrl(), max: 8 });
      // They are sent all at once, over 8 connections.
      const app = await start(pool, { connectTimeout: '10s' });
      const payloads = Array.from({ length: sized(200, 80) }, (_, n) => n);
      const jobs = await Promise.all(payloads.map((n) => app.jobs.enqueue(echo, n)));
      expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(payloads);
      await app.close();
      expect((await pool.query('SHOW default_transaction_isolation')).rows[0]).toEqual({
        default_transaction_isolation: 'serializable',
      });
      await pool.end();
    });

    it("a client of the app's pool with a transaction left open: what is acknowledged is there", async () => {
      const namespace = uniqueNamespace();
      const pool = new pg.Pool({ connectionString: postgresUrl(), max: 1 });
      const app = await start(pool, { namespace, workers: false });
      for (let n = 0; n < 3; n++) {
        const client = await pool.connect();
        await client.query('BEGIN');
        client.release();
        const job = await eventually(() => app.jobs.enqueue(echo, n));
        const { rows } = await admin.query(`SELECT state FROM ${namespace}.job WHERE id = $1`, [job.id]);
        expect(rows).toEqual([{ state: 'waiting' }]);
      }
      await app.close();
      await pool.end();
    });

    it('a temporary table that would get the jobs: refused in a transaction', async () => {
      const app = await start(postgresUrl());
      const client = new pg.Client(postgresUrl());
      await client.connect();
      await client.query('CREATE TEMP TABLE job (id text)');
      await client.query('BEGIN');
      const options = { transaction: client };
      await expect(app.jobs.enqueue(echo, 1, options)).rejects.toMatchObject({ name: 'ShadowedTableError' });
      for (const statement of ['ROLLBACK', 'DROP TABLE job', 'BEGIN']) await client.query(statement);
      const job = await app.jobs.enqueue(echo, 2, options);
      await client.query('COMMIT');
      expect(await job.result()).toBe(2);
      await client.end();
      await app.close();
    });
  });
}
