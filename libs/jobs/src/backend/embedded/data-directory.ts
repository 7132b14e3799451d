import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { acquireDataDirectoryLock, type DataDirectoryLock, type OnWait } from './data-directory-lock.js';

/**
 * The directory of an embedded database, held by this process: `pgdata/` belongs to PGlite, `lock.json` to the lock,
 * and `initializing` is there while the first open has not ended.
 *
 * @internal
 */
export class DataDirectory {
  readonly databaseDir: string;
  private readonly initializing: string;

  private constructor(
    dataDir: string,
    private readonly lock: DataDirectoryLock,
  ) {
    this.databaseDir = join(dataDir, 'pgdata');
    this.initializing = join(dataDir, 'initializing');
    // A process killed in its first open leaves half of the files, which PGlite would take for a database.
    if (existsSync(this.initializing)) rmSync(this.databaseDir, { recursive: true, force: true });
    if (!existsSync(this.databaseDir)) writeFileSync(this.initializing, '');
  }

  static async open(dataDir: string, grace: number, onWait?: OnWait): Promise<DataDirectory> {
    const path = resolve(dataDir);
    return new DataDirectory(path, await acquireDataDirectoryLock(path, { grace, onWait }));
  }

  /** To be called when PGlite has opened {@link databaseDir}, and before anything is stored in it. */
  markInitialized(): void {
    rmSync(this.initializing, { force: true });
  }

  /** Calls back when another process has taken the directory over, which must not be written to any more. */
  onceLost(onLost: (reason: Error) => void): void {
    this.lock.once('lost', onLost);
  }

  /** A second call does nothing. */
  leave(): void {
    this.lock.release();
  }
}
