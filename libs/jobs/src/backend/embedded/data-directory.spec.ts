import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { spawnFixture } from '../../../../../test/support/child-process.js';
import { sized } from '../../../../../test/support/test-form.js';
import { DataDirectoryLockedError } from './data-directory-locked.error.js';
import { EmbeddedBackendStoppedError } from './embedded-backend-stopped.error.js';
import { EmbeddedBackendUnavailableError } from './embedded-backend-unavailable.error.js';
import { openPglitePool } from './pglite-pool.js';

jest.setTimeout(120_000);

const KILLS = 3;
const WRITES = sized(200, 50);
/** Of as many of each kind. */
const LAST_WRITE = new RegExp(`-p-${WRITES - 1}$`);

describe('a PglitePool in a directory', () => {
  let root: string;
  let dataDir: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'nestjs-jobs-data-'));
    dataDir = join(root, 'data');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const open = () => openPglitePool({ dataDir, searchPath: 'jobs', lockGrace: 0 });

  it('keeps what was committed, and leaves the directory to the next on end', async () => {
    const pool = await open();
    await pool.query('CREATE SCHEMA jobs; CREATE TABLE kept AS SELECT 1 AS one');
    await expect(open()).rejects.toBeInstanceOf(DataDirectoryLockedError);
    await pool.end();
    expect(existsSync(join(dataDir, 'lock.json'))).toBe(false);

    const next = await open();
    expect((await next.query('SELECT one FROM kept')).rows).toEqual([{ one: 1 }]);
    await next.end();
  });

  it('keeps every acknowledged commit when the process is killed while it writes', async () => {
    const acknowledged: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawnFixture('embedded/write-until-killed', { args: [dataDir, String(kill)] });
      await child.waitForLine(LAST_WRITE, { timeout: 60_000 });
      await expect(open()).rejects.toMatchObject({ pid: child.pid });
      await child.kill('SIGKILL');
      acknowledged.push(...child.stdout);
    }
    expect(acknowledged.length).toBeGreaterThan(KILLS * WRITES);

    const pool = await open();
    const { rows } = await pool.query<{ id: string }>('SELECT id FROM written');
    const written = new Set(rows.map(({ id }) => id));
    expect(acknowledged.filter((id) => !written.has(id))).toEqual([]);
    const halfTransactions = [...written].filter((id) => id.endsWith('a') && !written.has(id.replace(/a$/, 'b')));
    expect(halfTransactions).toEqual([]);
    await pool.end();
  });

  it('starts again when the process was killed while it made the database', async () => {
    mkdirSync(join(dataDir, 'pgdata'), { recursive: true });
    writeFileSync(join(dataDir, 'initializing'), '');
    writeFileSync(join(dataDir, 'pgdata', 'PG_VERSION'), '18\n');
    const pool = await open();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(existsSync(join(dataDir, 'initializing'))).toBe(false);
    await pool.end();
  });

  it('refuses files that are no database, touches nothing, and leaves the directory', async () => {
    mkdirSync(join(dataDir, 'pgdata'), { recursive: true });
    writeFileSync(join(dataDir, 'pgdata', 'PG_VERSION'), '18\n');
    await expect(open()).rejects.toBeInstanceOf(EmbeddedBackendUnavailableError);
    expect(existsSync(join(dataDir, 'pgdata', 'PG_VERSION'))).toBe(true);
    expect(existsSync(join(dataDir, 'lock.json'))).toBe(false);
  });

  it('stops when another process has taken the directory over, also when nobody listens to its errors', async () => {
    jest.useFakeTimers({ doNotFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'nextTick', 'queueMicrotask'] });
    const pool = await open();
    const client = await pool.connect();
    await client.query('BEGIN');
    const waiting = pool.query('SELECT 1');
    writeFileSync(join(dataDir, 'lock.json'), JSON.stringify({ id: 'another', pid: 1, hostname: 'elsewhere' }));
    jest.advanceTimersToNextTimer();
    jest.useRealTimers();

    await expect(waiting).rejects.toBeInstanceOf(EmbeddedBackendStoppedError);
    await expect(pool.query('SELECT 1')).rejects.toThrow('taken its data directory over');
    await pool.end();
    expect(existsSync(join(dataDir, 'lock.json'))).toBe(true);
  });
});
