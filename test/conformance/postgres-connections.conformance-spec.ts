import { Injectable } from '@nestjs/common';
import { Task, task, type JobsModuleOptions, type PostgresPoolOptions, type QueueOptions } from 'nestjs-jobs';
import pg from 'pg';
import { backends, postgresUrl, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';

const QUEUES = ['q1', 'q2', 'q3', 'q4', 'q5'];

@Injectable()
class Work {
  @Task()
  double(n: number): number {
    return n * 2;
  }
}

const double = task(Work, 'double');

function connectedBy(connection: NonNullable<JobsModuleOptions['connection']>): TestBackend {
  return { name: 'postgres', connection: () => connection };
}

function poolOptions(): PostgresPoolOptions {
  const { hostname, port, username, pathname } = new URL(postgresUrl());
  return { host: hostname, port: Number(port), user: username, database: pathname.slice(1), password: async () => 'x' };
}

async function inDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(postgresUrl());
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** How many connections there are of each application name that begins so. */
async function connectionsOf(prefix: string): Promise<Record<string, number>> {
  const { rows } = await inDatabase((client) =>
    client.query<{ name: string; count: number }>(
      `SELECT application_name AS name, count(*)::integer AS count FROM pg_stat_activity
       WHERE starts_with(application_name, $1) GROUP BY 1`,
      [prefix],
    ),
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

// `describe.each` refuses an empty table: a run for another backend has nothing to do here.
const table = backends.filter(({ name }) => name === 'postgres');
if (table.length > 0) {
  describe.each(table)('connections to $name', () => {
    const queues = Object.fromEntries(QUEUES.map((name): [string, QueueOptions] => [name, { concurrency: 8 }]));

    it('five queues, each with a worker and a stream of events, do with a pool of two and one that listens', async () => {
      const application_name = `crowd-${uniqueNamespace()}`;
      const { jobs, close } = await startJobsApp({
        backend: connectedBy({ postgres: { connectionString: postgresUrl(), max: 2, application_name } }),
        providers: [Work],
        options: { queues },
      });
      const handles = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          jobs.enqueue(double, n, { queue: QUEUES[n % QUEUES.length]!, delay: 20 }),
        ),
      );
      const results = Promise.all(handles.map((handle) => handle.result()));
      await eventually(async () =>
        expect(await connectionsOf(application_name)).toEqual({
          [application_name]: 2,
          [`${application_name} listener`]: 1,
        }),
      );
      expect(await results).toEqual(Array.from({ length: 200 }, (_, n) => n * 2));
      await close();
      await eventually(async () => expect(await connectionsOf(application_name)).toEqual({}));
    });

    it.each([
      ['a url', () => postgresUrl()],
      ['a url by its key', () => ({ postgres: postgresUrl() })],
      ['pool options', () => ({ postgres: poolOptions() })],
    ])('%s will do', async (_, connection) => {
      const backend = connectedBy(connection() as NonNullable<JobsModuleOptions['connection']>);
      const { jobs, close } = await startJobsApp({ backend, providers: [Work] });
      expect(await (await jobs.enqueue(double, 4)).result()).toBe(8);
      await close();
    });

    describe("a pool of the app's", () => {
      let pool: pg.Pool;
      const searchPath = async (): Promise<string> => (await pool.query('SHOW search_path')).rows[0].search_path;

      beforeEach(() => (pool = new pg.Pool({ connectionString: postgresUrl(), max: 2 })));
      afterEach(() => pool.end());

      it('gets its clients back as they were, has them while jobs run, and stays open', async () => {
        const { jobs, close } = await startJobsApp({
          backend: connectedBy({ postgres: pool }),
          providers: [Work],
          options: { queues },
        });
        const own = await searchPath();
        const handles = await Promise.all(
          Array.from({ length: 100 }, (_, n) => jobs.enqueue(double, n, { queue: QUEUES[n % QUEUES.length]! })),
        );
        // Both clients asked for at once, over and over: whoever lends them must give way.
        for (let n = 0; n < 20; n++) expect(await Promise.all([searchPath(), searchPath()])).toEqual([own, own]);
        expect(await Promise.all(handles.map((handle) => handle.result()))).toHaveLength(100);
        await close();
        expect(await Promise.all([searchPath(), searchPath()])).toEqual([own, own]);
        expect(pool.ended).toBe(false);
      });

      it('may have set its own search_path and its own parsers', async () => {
        const types = { getTypeParser: () => (value: string) => ({ wrapped: value }) };
        const special = new pg.Pool({
          connectionString: postgresUrl(),
          options: '-c search_path=pg_catalog',
          types: types as unknown as pg.CustomTypesConfig,
        });
        const { jobs, close } = await startJobsApp({ backend: connectedBy({ postgres: special }), providers: [Work] });
        const job = await jobs.enqueue(double, 21, { delay: 10 });
        expect(await job.result()).toBe(42);
        expect(await job.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
        await close();
        const { rows } = await special.query('SHOW search_path');
        expect(rows).toEqual([{ search_path: { wrapped: 'pg_catalog' } }]);
        await special.end();
      });

      it('whose clients are all taken keeps nobody waiting for ever: a typed error, and all is well when they are back', async () => {
        const { jobs, close } = await startJobsApp({
          backend: connectedBy({ postgres: pool }),
          providers: [Work],
          options: { connectTimeout: 300 },
        });
        const taken = await Promise.all([pool.connect(), pool.connect()]);
        await expect(jobs.enqueue(double, 1)).rejects.toMatchObject({ name: 'BackendUnavailableError' });
        for (const client of taken) client.release();
        expect(await (await jobs.enqueue(double, 2)).result()).toBe(4);
        await close();
      });
    });

    it('apps of different namespaces share a database and see nothing of one another', async () => {
      const backend = connectedBy(postgresUrl());
      const one = await startJobsApp({ backend, providers: [Work] });
      const other = await startJobsApp({ backend, providers: [Work], options: { workers: false } });
      const waiting = await other.jobs.enqueue(double, 1);
      expect(await (await one.jobs.enqueue(double, 2)).result()).toBe(4);
      expect(await waiting.status()).toMatchObject({ state: 'pending' });
      await expect(one.jobs.job(waiting.id).status()).rejects.toMatchObject({ name: 'JobNotFoundError' });
      await Promise.all([one.close(), other.close()]);
    });
  });
}
