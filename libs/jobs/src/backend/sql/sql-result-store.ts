import { Readable } from 'node:stream';
import type { PgQueryable } from 'bullmq';
import { measured } from '../../results/measure.js';
import { requireFoundKey, requireResultKey } from '../../results/result-key.js';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from '../../results/result-store.js';

/** Stored with each result, so that another version may have another. Of larger ones PGlite's thread keeps more garbage. */
const CHUNK_SIZE = 64 * 1024;
/** What comes in one answer. Of larger ones, garbage piles up outside V8's heap faster than V8 takes it for worth removing. */
const READ_SIZE = 32 * 1024;

const BEGIN = 'INSERT INTO jobs_result (key, chunk_size, written_at) VALUES ($1, $2, clock_timestamp())';
const ADD = 'INSERT INTO jobs_result_chunk (key, n, bytes) VALUES ($1, $2, $3)';
const FINISH = `
UPDATE jobs_result SET size = $2, written_at = clock_timestamp() WHERE key = $1 AND size IS NULL RETURNING key`;
const FIND = 'SELECT size, chunk_size FROM jobs_result WHERE key = $1 AND size IS NOT NULL';
/** As base64: how bytes come as they are depends on settings of the app's and of the database. */
const READ = `
SELECT encode(substring(bytes FROM $3::integer + 1 FOR $4::integer), 'base64') AS bytes
  FROM jobs_result_chunk WHERE key = $1 AND n = $2`;
const REMOVE = 'DELETE FROM jobs_result WHERE key = ANY($1::text[])';
const LIST = `
SELECT key, (extract(epoch FROM written_at) * 1000)::bigint AS written_at
  FROM jobs_result WHERE key > $1 ORDER BY key LIMIT $2`;

interface Stored {
  /** An int8, which comes as text. */
  readonly size: string;
  readonly chunk_size: number;
}

/**
 * A row for each result, and one for each 64 KB of it. Between two of them it holds no connection, so slow bodies and
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
          const params = [key, Math.floor(size / CHUNK_SIZE), chunk];
          await this.sql.query(ADD, params);
          // See bytesOf.
          params.length = 0;
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
    const bytes = this.bytesOf(key, stored.chunk_size, range?.start ?? 0, last);
    return Readable.from(bytes, { objectMode: false, highWaterMark: 1 });
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.sql.query(REMOVE, [keys.map(requireFoundKey)]);
  }

  async list(cursor = ''): Promise<{ results: FoundResult[]; cursor?: string }> {
    const { rows } = await this.sql.query<{ key: string; written_at: string }>(LIST, [cursor, this.mostListed]);
    const results = rows.map(({ key, written_at }) => ({ key, writtenAt: Number(written_at) }));
    return { results, ...(rows.length === this.mostListed && { cursor: rows.at(-1)!.key }) };
  }

  private async *bytesOf(key: string, chunkSize: number, start: number, last: number): AsyncGenerator<Buffer> {
    for (let at = start; at <= last;) {
      const offset = at % chunkSize;
      const length = Math.min(READ_SIZE, chunkSize - offset, last + 1 - at);
      const { rows } = await this.sql.query<{ bytes: string }>(READ, [key, Math.floor(at / chunkSize), offset, length]);
      if (rows.length === 0) throw new Error(`nestjs-jobs: the result ${key} was removed while it was read.`);
      const bytes = Buffer.from(rows[0]!.bytes, 'base64');
      // node-postgres' queries keep one another, with what came, until V8 collects all garbage: that may be all of it.
      rows.length = 0;
      yield bytes;
      at += length;
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
