import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { spawnFixture, type ChildHandle } from '../../../../../test/support/child-process.js';
import { acquireDataDirectoryLock } from './data-directory-lock.js';
import { DataDirectoryLockedError } from './data-directory-locked.error.js';

jest.setTimeout(60_000);

const RACERS = 3;
const RACES = 200;
/** No process has this pid: it is above Linux' highest. */
const NO_PID = 2 ** 30;

describe('acquireDataDirectoryLock', () => {
  let root: string;
  let dataDir: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'nestjs-jobs-lock-'));
    dataDir = join(root, 'data');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const lockFile = () => join(dataDir, 'lock.json');
  const readLock = () => JSON.parse(readFileSync(lockFile(), 'utf8')) as Record<string, unknown>;
  const writeLock = (holder: Record<string, unknown>, directory = dataDir) => {
    mkdirSync(directory, { recursive: true });
    const startedAt = new Date().toISOString();
    writeFileSync(
      join(directory, 'lock.json'),
      JSON.stringify({ id: 'x', hostname: hostname(), startedAt, ...holder }),
    );
  };
  const refusal = async (grace = 0) => {
    const error: unknown = await acquireDataDirectoryLock(dataDir, { grace }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataDirectoryLockedError);
    return error as DataDirectoryLockedError;
  };
  const holdInOtherProcess = async (): Promise<ChildHandle> => {
    const child = spawnFixture('embedded/hold-lock', { args: [dataDir] });
    await child.waitForLine(/^acquired$/);
    return child;
  };

  it('creates the directory, hidden from git, and says who holds it', async () => {
    const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    expect(readdirSync(dataDir).sort()).toEqual(['.gitignore', 'lock.json']);
    expect(readFileSync(join(dataDir, '.gitignore'), 'utf8')).toBe('*\n');
    expect(readLock()).toMatchObject({ pid: process.pid, hostname: hostname(), startedAt: expect.any(String) });
    lock.release();
    expect(readdirSync(dataDir)).toEqual(['.gitignore']);
  });

  it('leaves a directory that was there without a .gitignore', async () => {
    mkdirSync(dataDir);
    const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    lock.release();
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('refuses a second lock in the same process, and says so', async () => {
    const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    expect((await refusal()).message).toContain(`this process already has the data directory ${dataDir} open`);
    lock.release();
    (await acquireDataDirectoryLock(dataDir, { grace: 0 })).release();
  });

  it('does not take away the lock of the next holder when it is released twice', async () => {
    const first = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    first.release();
    const second = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    first.release();
    await refusal();
    second.release();
  });

  it('refuses while another process holds it, and names the process and what to do', async () => {
    const child = await holdInOtherProcess();
    const error = await refusal();
    expect(error).toMatchObject({ dataDir, pid: child.pid, hostname: hostname() });
    expect(error.message).toContain(`pid ${child.pid}`);
    expect(error.message).toMatch(/Stop that process, use another dataDir, or use Redis or Postgres/);
    await child.kill();
  });

  it('waits for a process that leaves within the grace', async () => {
    const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    const child = spawnFixture('embedded/hold-lock', { args: [dataDir, '30000'] });
    await child.waitForLine(/^waiting$/);
    lock.release();
    await child.waitForLine(/^acquired$/);
    expect(readLock()).toMatchObject({ pid: child.pid });
    await child.kill();
    expect(readdirSync(dataDir)).not.toContain('lock.json');
  });

  it('takes over at once from a process that was killed', async () => {
    const child = await holdInOtherProcess();
    await child.kill('SIGKILL');
    expect(readLock()).toMatchObject({ pid: child.pid });
    const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
    expect(readLock()).toMatchObject({ pid: process.pid });
    lock.release();
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('takes over from a dead process whose pid another process has now', async () => {
    writeLock({ pid: process.pid, processStart: '1' });
    (await acquireDataDirectoryLock(dataDir, { grace: 0 })).release();
  });

  it('takes over a lock that its writer did not finish', async () => {
    mkdirSync(dataDir);
    writeFileSync(lockFile(), '{ "pid"');
    (await acquireDataDirectoryLock(dataDir, { grace: 0 })).release();
  });

  it.each([{ hostname: 'elsewhere' }, { hostname: hostname(), pidNamespace: 'pid:[1]' }])(
    'judges a holder in another container by its heartbeat: %j',
    async (container) => {
      writeLock({ pid: NO_PID, ...container });
      expect(await refusal()).toMatchObject({ pid: NO_PID, hostname: container.hostname });
      const longAgo = new Date(Date.now() - 31_000);
      utimesSync(lockFile(), longAgo, longAgo);
      (await acquireDataDirectoryLock(dataDir, { grace: 0 })).release();
    },
  );

  it('touches its file every 5 seconds, and tells when another process has taken it', async () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    try {
      const lock = await acquireDataDirectoryLock(dataDir, { grace: 0 });
      const lost: Error[] = [];
      lock.on('lost', (reason) => lost.push(reason));
      jest.advanceTimersByTime(40_000);
      const other = { ...readLock(), hostname: 'elsewhere' };
      writeFileSync(lockFile(), JSON.stringify(other));
      const longAgo = new Date(Date.now() - 31_000);
      utimesSync(lockFile(), longAgo, longAgo);
      jest.advanceTimersByTime(5_000);
      await refusal();
      expect(lost).toEqual([]);

      writeLock({ pid: NO_PID, hostname: 'elsewhere' });
      jest.advanceTimersByTime(5_000);
      expect(lost).toEqual([expect.objectContaining({ message: expect.stringContaining(lockFile()) as string })]);
      lock.release();
      expect(readLock()).toMatchObject({ pid: NO_PID });
    } finally {
      jest.useRealTimers();
    }
  });

  it(`lets exactly one of ${RACERS} newcomers take a dead lock, ${RACES} times`, async () => {
    const names = Array.from({ length: RACES }, (_, race) => String(race).padStart(4, '0'));
    for (const [race, name] of names.entries()) {
      const directory = join(root, name);
      writeLock({ pid: NO_PID }, directory);
      if (race % 2 === 1) {
        const guard = join(directory, 'lock.guard');
        mkdirSync(guard);
        utimesSync(guard, 0, 0);
      }
    }
    const children = Array.from({ length: RACERS }, () =>
      spawnFixture('embedded/race-for-locks', { args: [root, String(RACERS)] }),
    );
    await Promise.all(children.map((child) => child.waitForLine(/^done$/)));
    const lines = children.flatMap((child) => child.stdout);
    expect(lines.filter((line) => line.startsWith('won ')).sort()).toEqual(names.map((name) => `won ${name}`));
    expect(lines.filter((line) => line.startsWith('lost '))).toHaveLength(RACES * (RACERS - 1));
    await Promise.all(children.map((child) => child.kill('SIGKILL')));
  });
});
