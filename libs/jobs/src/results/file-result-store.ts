import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from './result-store.js';

/** Of a file that is being written; those of processes that died are listed as results, and so are swept. */
const UNFINISHED = '.part';

/** Counts and hashes what goes through. @internal */
export class Measure extends Transform {
  private readonly hash = createHash('sha256');
  private size = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.size += chunk.length;
    this.hash.update(chunk);
    done(null, chunk);
  }

  written(): WrittenResult {
    return { size: this.size, sha256: this.hash.digest('hex') };
  }
}

/** Files of a directory that all processes share. @internal */
export class FileResultStore implements ResultStore {
  constructor(private readonly directory: string) {}

  async write(key: string, body: Readable): Promise<WrittenResult> {
    const file = this.fileOf(key);
    const unfinished = `${file}-${randomUUID()}${UNFINISHED}`;
    await mkdir(dirname(file), { recursive: true });
    const measure = new Measure();
    try {
      await pipeline(body, measure, createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true }));
      await rename(unfinished, file);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await syncDirectory(dirname(file));
    return measure.written();
  }

  async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const file = this.fileOf(key);
    try {
      await stat(file);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return createReadStream(file, range);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const file = this.fileOf(key);
      await rm(file, { force: true });
      // The last result of a job; one that is just being written makes it again, or fails and is tried again.
      await rmdir(dirname(file)).catch(() => {});
    }
  }

  /** The cursor is the name of the queue's directory and of the job's. */
  async list(cursor?: string): Promise<{ results: FoundResult[]; cursor?: string }> {
    const results: FoundResult[] = [];
    for (const queue of await this.namesIn('')) {
      for (const job of await this.namesIn(queue)) {
        const place = `${queue}/${job}`;
        if (cursor !== undefined && place <= cursor) continue;
        for (const name of await this.namesIn(place)) {
          const key = `${place}/${name}`;
          const found = await stat(this.fileOf(key)).catch(() => undefined);
          if (found) results.push({ key, writtenAt: found.mtimeMs });
        }
        if (results.length >= LISTED) return { results, cursor: place };
      }
    }
    return { results };
  }

  private async namesIn(place: string): Promise<string[]> {
    try {
      return (await readdir(join(this.directory, place))).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  private fileOf(key: string): string {
    return join(this.directory, ...key.split('/'));
  }
}

const LISTED = 500;

/** A name that is not on the disk would be lost with the power, and the file with it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
