import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { measured } from './measure.js';
import { isFoundKey, requireFoundKey, requireResultKey, UNFINISHED } from './result-key.js';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from './result-store.js';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Each time somebody removed the directory that had just been made. */
const MOST_TRIES = 100;

/**
 * Files of a directory that all processes share, in a directory for each job. What is not finished has a name of its own,
 * under which it is listed, and gets the name of the result in one step.
 *
 * @internal
 */
export class FileResultStore implements ResultStore {
  /** @param mostListed - about how many results are listed at a time. */
  constructor(
    private readonly directory: string,
    private readonly mostListed = 1_000,
  ) {}

  write(key: string, body: Readable, _contentType: string): Promise<WrittenResult> {
    return measured(body, async (bytes) => {
      const file = this.fileOf(requireResultKey(key));
      const unfinished = `${file}${UNFINISHED}${randomUUID()}`;
      await orRemove(unfinished, async () => {
        const handle = await createFile(unfinished);
        await pipeline(bytes, handle.createWriteStream({ flush: true }));
        await rename(unfinished, file);
      });
      await orRemove(file, () => this.keepNames(file));
    });
  }

  async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const file = this.fileOf(requireResultKey(key));
    try {
      const handle = await open(file, 'r');
      return handle.createReadStream({ ...range });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await removeFile(this.fileOf(requireFoundKey(key)));
  }

  /** A job's are listed together; the cursor is the last job's directory. */
  async list(cursor?: string): Promise<{ results: FoundResult[]; cursor?: string }> {
    const results: FoundResult[] = [];
    const [lastQueue = '', lastJob = ''] = cursor?.split('/') ?? [];
    for (const queue of await this.directoriesIn('')) {
      if (queue < lastQueue) continue;
      for (const job of await this.directoriesIn(queue)) {
        if (queue === lastQueue && job <= lastJob) continue;
        const place = `${queue}/${job}`;
        results.push(...(await this.resultsIn(place)));
        if (results.length >= this.mostListed) return { results, cursor: place };
      }
    }
    return { results };
  }

  private async resultsIn(place: string): Promise<FoundResult[]> {
    const entries = await this.entriesIn(place);
    // Of a process that died before it had written anything.
    if (entries.length === 0) await removeIfEmpty(join(this.directory, place));
    const keys = entries.map(({ name }) => `${place}/${name}`).filter(isFoundKey);
    const found = await Promise.all(keys.map(async (key) => ({ key, writtenAt: await writtenAt(this.fileOf(key)) })));
    return found.filter((result): result is FoundResult => result.writtenAt !== undefined);
  }

  private async directoriesIn(place: string): Promise<string[]> {
    const entries = await this.entriesIn(place);
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
  }

  private async entriesIn(place: string): Promise<Dirent[]> {
    try {
      return await readdir(join(this.directory, place), { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** A name that is not on the disk would be lost with the power, and the file with it. */
  private async keepNames(file: string): Promise<void> {
    const job = dirname(file);
    for (const directory of [job, dirname(job), this.directory]) await syncDirectory(directory);
  }

  private fileOf(key: string): string {
    return join(this.directory, ...key.split('/'));
  }
}

/** Whoever removes the last result of the job removes the directory as well, which then is made again. */
async function createFile(file: string): Promise<FileHandle> {
  for (let tried = 1; ; tried++) {
    try {
      await mkdir(dirname(file), { recursive: true, mode: DIRECTORY_MODE });
      return await open(file, 'wx', FILE_MODE);
    } catch (error) {
      if (!isMissing(error) || tried === MOST_TRIES) throw error;
    }
  }
}

async function orRemove(file: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    await removeFile(file).catch(() => undefined);
    throw error;
  }
}

async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true });
  await removeIfEmpty(dirname(file));
}

async function removeIfEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => undefined);
}

async function writtenAt(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file);
    return found.isFile() ? found.mtimeMs : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(directory, 'r');
    await handle.sync();
  } catch (error) {
    if (!isUnknownToDirectories(error)) throw error;
  } finally {
    await handle?.close();
  }
}

/** Windows, and some file systems of other computers, keep names without being asked, and refuse to be. */
function isUnknownToDirectories(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['EPERM', 'EISDIR', 'EINVAL', 'ENOTSUP', 'ENOSYS'].includes(code);
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
