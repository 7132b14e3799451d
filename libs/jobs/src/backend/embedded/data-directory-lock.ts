import { EventEmitter } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataDirectoryLockedError } from './data-directory-locked.error.js';
import { underGuard } from './directory-guard.js';
import { isDead, isThisProcess, newHolder, type LockHolder } from './lock-holder.js';

/** Told the pid of the process that is waited for. @internal */
export type OnWait = (pid: number) => void;

const HEARTBEAT_INTERVAL = 5_000;
/** There is no event for the death of another process, so who waits looks again. */
const POLL_INTERVAL = 100;

/**
 * Takes the data directory for this process, and creates it when it is missing. The lock of a holder that died, even
 * by kill -9, is taken over at once; on another host, or in another container, when it has shown no sign for 30 s.
 *
 * @param options.grace how long to wait, in ms, for a living holder to leave.
 * @param options.onWait called once when there is one.
 * @throws {DataDirectoryLockedError} when it did not leave.
 * @internal
 */
export async function acquireDataDirectoryLock(
  dataDir: string,
  { grace, onWait }: { grace: number; onWait?: OnWait },
): Promise<DataDirectoryLock> {
  const directory = resolve(dataDir);
  createDirectory(directory);
  const file = join(directory, 'lock.json');
  const self = newHolder();
  const deadline = performance.now() + grace;
  let waits = false;
  for (;;) {
    const holder = await underGuard(join(directory, 'lock.guard'), () => take(file, self));
    if (holder.id === self.id) return new DataDirectoryLock(file, self.id);
    const left = deadline - performance.now();
    if (left <= 0) {
      const { pid, hostname } = holder;
      throw new DataDirectoryLockedError({
        dataDir: directory,
        pid,
        hostname,
        isThisProcess: isThisProcess(holder),
        grace,
      });
    }
    if (!waits) onWait?.(holder.pid);
    waits = true;
    await delay(Math.min(POLL_INTERVAL, left));
  }
}

/** That this process alone uses a data directory, until {@link release}. @internal */
export class DataDirectoryLock extends EventEmitter<{ lost: [reason: Error] }> {
  private readonly heartbeat: NodeJS.Timeout;

  constructor(
    private readonly file: string,
    private readonly id: string,
  ) {
    super();
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_INTERVAL).unref();
  }

  /** A second call does nothing. */
  release(): void {
    clearInterval(this.heartbeat);
    if (this.isHeld()) rmSync(this.file, { force: true });
  }

  private beat(): void {
    try {
      const now = new Date();
      if (this.isHeld()) return utimesSync(this.file, now, now);
    } catch {
      return; // One beat may fail: six more are due before anyone takes this process for dead.
    }
    // This process slept for so long that another host took it for dead.
    clearInterval(this.heartbeat);
    this.emit('lost', new Error(`another process has taken its data directory over (${this.file})`));
  }

  private isHeld(): boolean {
    return readHolder(this.file)?.id === this.id;
  }
}

function createDirectory(directory: string): void {
  const isNew = mkdirSync(directory, { recursive: true }) !== undefined;
  if (isNew) writeFileSync(join(directory, '.gitignore'), '*\n');
}

/** Writes `self` as the holder, unless there is a living one. Under the guard only. */
function take(file: string, self: LockHolder): LockHolder {
  const holder = readHolder(file);
  if (holder && !isDead(holder, Date.now() - statSync(file).mtimeMs)) return holder;
  rmSync(file, { force: true });
  writeFileSync(file, JSON.stringify(self, undefined, 2), { flag: 'wx' });
  return self;
}

/** Nothing when there is no lock, or a broken one: its writer died over it, since nobody reads while it is written. */
function readHolder(file: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockHolder;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
