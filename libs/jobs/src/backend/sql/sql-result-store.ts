import { Readable } from 'node:stream';
import type { PgQueryable } from 'bullmq';
import { measured } from '../../results/measure.js';
import { requireFoundKey, requireResultKey } from '../../results/result-key.js';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from '../../results/result-store.js';

/** What is in memory at a time; stored with each result, so that another version may have another. */
const CHUNK_SIZE = 256 * 1024;

const BEGIN = 'INSERT INTO jobs_result (key, chunk_size, written_at) VALUES ($1, $2, clock_timestamp())';
/** As base64: PGlite takes 70 ms to write the bytes of one chunk as a parameter. */
const ADD = `INSERT INTO jobs_result_chunk (key, n, bytes) VALUES ($1, $2, decode($3, 'base64'))`;
const FINISH = `
UPDATE jobs_result SET size = $2, written_at = clock_timestamp() WHERE key = $1 AND size IS NULL RETURNING key`;
const FIND = 'SELECT size, chunk_size FROM jobs_result WHERE key = $1 AND size IS NOT NULL';
/** As base64: how bytes come as they are depends on settings of the app's and of the database. */
const READ = `SELECT encode(bytes, 'base64') AS bytes FROM jobs_result_chunk WHERE key = $1 AND n = $2`;
const REMOVE = 'DELETE FROM jobs_result WHERE key = ANY($1::text[])';
const LIST = `
SELECT key, (extract(epoch FROM written_at) * 1000)::double precision AS written_at
  FROM jobs_result WHERE key > $1 ORDER BY key LIMIT $2`;

interface Stored {
  /** An int8, which comes as text. */
  readonly size: string;
  readonly chunk_size: number;
}

/**
 * A row for each result, and one for each 256 KB of it. Between two of them it holds no connection, so slow bodies and
 * slow readers keep nobody else from the database.
 *
 * @internal
 */
export class SqlResultStore implements ResultStore {
  constructor(
    private readonly sql: PgQueryable,
    private readonly mostListed = 1_000,
  ) {}

  write(key: string, body: Readable, _contentType: string): Promise<WrittenResult> {
    return measured(body, async (bytes) => {
      await this.sql.query(BEGIN, [requireResultKey(key), CHUNK_SIZE]);
      try {
        let size = 0;
        for await (const chunk of inChunks(bytes)) {
          await this.sql.query(ADD, [key, Math.floor(size / CHUNK_SIZE), chunk.toString('base64')]);
          size += chunk.length;
        }
        const { rows } = await this.sql.query(FINISH, [key, size]);
        if (rows.length === 0) throw new Error(`nestjs-jobs: the result ${key} was removed while it was written.`);
      } catch (error) {
        await this.remove([key]).catch(() => undefined);
        throw error;
      }
    });
  }

  async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const { rows } = await this.sql.query<Stored>(FIND, [requireResultKey(key)]);
    const stored = rows[0];
    if (!stored) return undefined;
    const last = Math.min(range?.end ?? Infinity, Number(stored.size) - 1);
    const chunks = this.chunksOf(key, stored.chunk_size, range?.start ?? 0, last);
    return Readable.from(chunks, { objectMode: false, highWaterMark: 1 });
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.sql.query(REMOVE, [keys.map(requireFoundKey)]);
  }

  async list(cursor = ''): Promise<{ results: FoundResult[]; cursor?: string }> {
    const { rows } = await this.sql.query<{ key: string; written_at: number }>(LIST, [cursor, this.mostListed]);
    const results = rows.map(({ key, written_at }) => ({ key, writtenAt: written_at }));
    return { results, ...(rows.length === this.mostListed && { cursor: rows.at(-1)!.key }) };
  }

  private async *chunksOf(key: string, chunkSize: number, start: number, last: number): AsyncGenerator<Buffer> {
    for (let at = start; at <= last;) {
      const n = Math.floor(at / chunkSize);
      const { rows } = await this.sql.query<{ bytes: string }>(READ, [key, n]);
      if (rows.length === 0) throw new Error(`nestjs-jobs: the result ${key} was removed while it was read.`);
      const first = n * chunkSize;
      yield Buffer.from(rows[0]!.bytes, 'base64').subarray(at - first, last + 1 - first);
      at = first + chunkSize;
    }
  }
}

/** Each of them but the last one of the same size, so that it is known where a byte is. */
async function* inChunks(bytes: Readable): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let room = CHUNK_SIZE;
  for await (const piece of bytes as AsyncIterable<Buffer>) {
    for (let rest = piece; rest.length > 0;) {
      const part = rest.subarray(0, room);
      rest = rest.subarray(part.length);
      gathered.push(part);
      room -= part.length;
      if (room > 0) continue;
      yield Buffer.concat(gathered);
      gathered = [];
      room = CHUNK_SIZE;
    }
  }
  if (gathered.length > 0) yield Buffer.concat(gathered);
}
