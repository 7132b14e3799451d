import { copyFileSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { jest } from '@jest/globals';
import { spawnFixture } from '../../../../../test/support/child-process.js';
import { MissingPeerError } from '../backend.errors.js';
import { EmbeddedBackendStoppedError } from './embedded-backend-stopped.error.js';
import { EmbeddedBackendUnavailableError } from './embedded-backend-unavailable.error.js';
import { openPglitePool } from './pglite-pool.js';

// A new database takes seconds.
jest.setTimeout(60_000);

const IN_MEMORY = { dataDir: 'memory://', searchPath: 'jobs', lockGrace: 0 };

describe('openPglitePool', () => {
  it('says how to install PGlite when it is missing', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'nestjs-jobs-thread-'));
    const thread = join(elsewhere, 'pglite-thread.js');
    copyFileSync(new URL('./pglite-thread.js', import.meta.url), thread);
    writeFileSync(join(elsewhere, 'package.json'), '{ "type": "module" }');
    const opening = openPglitePool({ ...IN_MEMORY, thread: pathToFileURL(thread) });
    await expect(opening).rejects.toBeInstanceOf(MissingPeerError);
    await expect(opening).rejects.toThrow('npm install @electric-sql/pglite');
    await rm(elsewhere, { recursive: true });
  });

  it('says why when the thread cannot start', async () => {
    const opening = openPglitePool({ ...IN_MEMORY, thread: new URL('file:///nowhere/thread.js') });
    await expect(opening).rejects.toBeInstanceOf(EmbeddedBackendUnavailableError);
    await expect(opening).rejects.toThrow('/nowhere/thread.js');
  });

  it('makes new databases in memory of what it kept of the first, and each is its own', async () => {
    const template = join(mkdtempSync(join(tmpdir(), 'nestjs-jobs-template-')), 'kept');
    const first = await openPglitePool({ ...IN_MEMORY, template });
    await first.query('CREATE TABLE public.mine AS SELECT 1 AS one');
    const kept = readdirSync(template);
    expect(kept).toEqual([expect.stringMatching(/^pglite-\d+\.\d+\.\d+\.tar$/)]);
    const { mtimeMs } = statSync(join(template, kept[0]!));
    const second = await openPglitePool({ ...IN_MEMORY, template });
    const { rows } = await second.query(
      `SELECT to_regclass('public.mine') AS mine, count(*) > 100 AS ready FROM pg_class`,
    );
    expect(rows).toEqual([{ mine: null, ready: true }]);
    expect((await first.query('SELECT one FROM public.mine')).rows).toEqual([{ one: 1 }]);
    expect(statSync(join(template, kept[0]!)).mtimeMs).toBe(mtimeMs);
    await Promise.all([first.end(), second.end()]);

    writeFileSync(join(template, kept[0]!), 'cut off');
    await expect(openPglitePool({ ...IN_MEMORY, template })).rejects.toThrow(new RegExp(`${kept[0]} is of no use`));
    await rm(template, { recursive: true });
  });

  it('does not keep the process alive after end', async () => {
    const child = spawnFixture('embedded/open-and-end');
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });
});

describe('PglitePool.end', () => {
  it('waits for statements and transactions, then refuses new ones as node-postgres does', async () => {
    const pool = await openPglitePool(IN_MEMORY);
    const stopListening = await pool.listen('channel', { onNotify: () => undefined });
    const client = await pool.connect();
    await client.query('BEGIN');
    const waiting = pool.query('SELECT 1 AS one');
    const ended = pool.end();
    expect(pool.end()).toBe(ended);
    const tooLate = 'Cannot use a pool after calling end on the pool';
    await expect(pool.query('SELECT 1')).rejects.toThrow(tooLate);
    await expect(pool.connect()).rejects.toThrow(tooLate);
    await expect(pool.listen('channel', { onNotify: () => undefined })).rejects.toThrow(tooLate);

    expect((await client.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
    await client.query('COMMIT');
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow(tooLate);
    client.release();
    await stopListening();
  });
});

describe('a PglitePool whose database crashes', () => {
  it('rejects what is pending and what follows, and emits one error', async () => {
    const pool = await openPglitePool(IN_MEMORY);
    const errors: unknown[] = [];
    pool.on('error', (error) => errors.push(error));
    await pool.query(`CREATE SCHEMA jobs; SET max_stack_depth = '7680kB'`);
    await pool.query('SET check_function_bodies = off');
    // In SQL: a function in plpgsql meets the limit of Postgres first on Node 24, and is refused in order.
    await pool.query('CREATE FUNCTION forever(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT forever(n + 1) $$');
    const client = await pool.connect();
    await client.query('BEGIN');
    const waiting = pool.query('SELECT 1');
    // More recursion than the stack of a thread bears: WebAssembly traps.
    const pending = client.query('SELECT forever(1)');

    await Promise.all(
      [pending, waiting].map((statement) => expect(statement).rejects.toBeInstanceOf(EmbeddedBackendStoppedError)),
    );
    await expect(pool.query('SELECT 1')).rejects.toThrow('stopped');
    await expect(client.query('BEGIN')).rejects.toThrow('stopped');
    await expect(pool.query('SELECT 1')).rejects.toThrow('stopped');
    expect(errors).toEqual([expect.any(EmbeddedBackendStoppedError)]);
    client.release();
    await pool.end();
  });

  it('takes no answer for a crash, also when the next statement is answered', async () => {
    const pool = await openPglitePool(IN_MEMORY);
    pool.on('error', () => undefined);
    expect((await pool.query('-- nothing\n/* at\nall */;')).rows).toEqual([]);
    await expect(pool.query(`SELECT repeat('[', 10000000)::json`)).rejects.toBeInstanceOf(EmbeddedBackendStoppedError);
    await pool.end();
  });
});
