import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The schema that the template has, with BullMQ's tables. */
const SCHEMA = 'jobs_test';

/** A boot copies all files, and with segments as Postgres has them most would be those 16 MB. */
const INITDB_OPTIONS = ['--wal-segsize=1'];

/**
 * Files for new databases: a boot is initdb and BullMQ's tables for the most part. Our own tables are made at each boot, so
 * that none are those of yesterday.
 * @returns {Promise<{ directory: string, schema: string }>} the directory is one for `embedded.template`
 */
export async function embeddedTemplate() {
  // They need packages, and `prepare` runs before these are installed.
  const { PGlite } = await import('@electric-sql/pglite');
  const { LATEST_SCHEMA_VERSION, runMigrations } = await import('bullmq');
  const directory = resolve('node_modules/.cache/nestjs-jobs', `schema-${LATEST_SCHEMA_VERSION}`);
  const file = join(directory, `pglite-${versionOf('@electric-sql/pglite')}.tar`);
  if (existsSync(file)) return { directory, schema: SCHEMA };

  const db = await PGlite.create('memory://', { initDbStartParams: INITDB_OPTIONS });
  // Those of CREATE DATABASE are two thirds of the files.
  await db.exec('UPDATE pg_database SET datistemplate = false');
  for (const name of ['template0', 'template1']) await db.exec(`DROP DATABASE ${name}`);
  await runMigrations({ query: (text, params) => query(db, text, params) }, SCHEMA);
  await db.exec('CHECKPOINT');
  const dump = await db.dumpDataDir('none');
  await db.close();
  mkdirSync(directory, { recursive: true });
  // Another run may look for it meanwhile.
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, Buffer.from(await dump.arrayBuffer()));
  renameSync(unfinished, file);
  return { directory, schema: SCHEMA };
}

/**
 * @param {import('@electric-sql/pglite').PGlite} db
 * @param {string} text
 * @param {readonly unknown[]} [params]
 */
async function query(db, text, params) {
  const result = params?.length ? await db.query(text, [...params]) : (await db.exec(text)).at(-1);
  return { rows: /** @type {any[]} */ (result?.rows ?? []), rowCount: result?.affectedRows ?? null };
}

/** @param {string} name */
function versionOf(name) {
  const manifest = fileURLToPath(new URL('../package.json', import.meta.resolve(name)));
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}
