import { Injectable } from '@nestjs/common';
import { MigrationsMissingError, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
import { migrateJobs } from 'nestjs-jobs/postgres';
import pg from 'pg';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Work {
  @Task()
  double(n: number): number {
    return n * 2;
  }
}

// `describe.each` refuses an empty table: a run for another backend has nothing to do here.
const table = backends.filter(({ name }) => name === 'postgres');
if (table.length > 0) {
  describe.each(table)('migrations on $name', () => {
    let namespace: string;
    let owner: pg.Client;

    beforeEach(async () => {
      namespace = uniqueNamespace();
      owner = new pg.Client(postgresUrl());
      await owner.connect();
    });
    afterEach(() => owner.end());

    function start(connection: JobsModuleOptions['connection']): Promise<JobsApp> {
      const backend = { name: 'postgres' as const, connection: () => connection };
      return startJobsApp({ backend, providers: [Work], options: { namespace } });
    }

    async function expectToWork({ jobs, close }: JobsApp): Promise<void> {
      expect(await (await jobs.enqueue(task(Work, 'double'), 3)).result()).toBe(6);
      await close();
    }

    async function versions(): Promise<unknown[]> {
      const { rows } = await owner.query(
        `SELECT (SELECT array_agg(version ORDER BY version) FROM ${namespace}.migration) AS engine,
                (SELECT array_agg(version ORDER BY version) FROM ${namespace}.jobs_migration) AS own`,
      );
      return rows;
    }

    it('are done once, however many processes boot at the same time', async () => {
      const apps = await Promise.all(Array.from({ length: 6 }, () => start(postgresUrl())));
      const before = await versions();
      expect(before).toEqual([{ engine: expect.arrayContaining([1]), own: [1, 2, 3, 4, 5, 6] }]);
      await Promise.all(apps.map(expectToWork));
      await expectToWork(await start(postgresUrl()));
      expect(await versions()).toEqual(before);
    });

    it('left to the deploy: the boot fails and says what to run, and creates nothing', async () => {
      const booting = start({ postgres: postgresUrl(), migrate: false });
      await expect(booting).rejects.toThrow(MigrationsMissingError);
      await expect(booting).rejects.toThrow(new RegExp(`"${namespace}".*migrateJobs`));
      const { rows } = await owner.query('SELECT FROM pg_namespace WHERE nspname = $1', [namespace]);
      expect(rows).toEqual([]);
    });

    it('left to the deploy: after it the app boots, and as a role that may create nothing', async () => {
      await migrateJobs({ connection: postgresUrl(), namespace });
      const role = `role_${namespace}`.slice(0, 60);
      await owner.query(`
        CREATE ROLE ${role} LOGIN;
        REVOKE CREATE ON DATABASE jobs FROM PUBLIC;
        GRANT USAGE ON SCHEMA ${namespace} TO ${role};
        GRANT ALL ON ALL TABLES IN SCHEMA ${namespace} TO ${role};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA ${namespace} TO ${role};`);
      const asRole = postgresUrl().replace('jobs@', `${role}@`);
      await expectToWork(await start({ postgres: asRole, migrate: false }));
      // Nothing is to be done, so nothing is asked for that the role may not do.
      await expectToWork(await start(asRole));
    });

    it.each(['migration', 'jobs_migration'])('left to the deploy: one step behind in %s is too old', async (ledger) => {
      await migrateJobs({ connection: postgresUrl(), namespace });
      const newest = `(SELECT max(version) FROM ${namespace}.${ledger})`;
      await owner.query(`DELETE FROM ${namespace}.${ledger} WHERE version = ${newest}`);
      await expect(start({ postgres: postgresUrl(), migrate: false })).rejects.toThrow(MigrationsMissingError);
    });

    it('of a newer version are left alone: an older process works beside it', async () => {
      await migrateJobs({ connection: postgresUrl(), namespace });
      await owner.query(`
        INSERT INTO ${namespace}.migration (version, name, min_client_version) VALUES (1000, 'later', 6);
        INSERT INTO ${namespace}.jobs_migration (version) VALUES (1000);`);
      const before = await versions();
      await expectToWork(await start(postgresUrl()));
      await expectToWork(await start({ postgres: postgresUrl(), migrate: false }));
      expect(await versions()).toEqual(before);
    });

    it('that fail change nothing, and the boot says why', async () => {
      await owner.query(`CREATE SCHEMA ${namespace}; CREATE TABLE ${namespace}.job (mine text)`);
      await expect(start(postgresUrl())).rejects.toThrow(/already exists/);
      const { rows } = await owner.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [namespace]);
      expect(rows).toEqual([{ tablename: 'job' }]);
    });

    it.each(['redis://127.0.0.1:1', { embedded: { dataDir: 'memory://' } }])(
      'migrateJobs refuses %j, which has no tables',
      async (connection) => {
        await expect(migrateJobs({ connection })).rejects.toThrow(/"connection" must be to a Postgres/);
      },
    );
  });
}
