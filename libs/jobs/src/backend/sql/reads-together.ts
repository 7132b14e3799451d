import type { PgQueryResult } from 'bullmq';
import type { SqlPool } from './sql-pool.js';

/** BullMQ's statements that read one job. When it has other ones, each job is read by itself again. */
const READS = {
  job: /SELECT \* FROM job WHERE queue = \$1 AND id = \$2;\s*$/,
  state: /SELECT state, priority FROM job WHERE queue = \$1 AND id = \$2;\s*$/,
};

/** Characters. Those of workers are longer, and not searched. */
const LONGEST_READ = 200;

const JOBS = 'SELECT * FROM job WHERE queue = $1 AND id = ANY($2::text[])';
const STATES = 'SELECT id, state, priority FROM job WHERE queue = $1 AND id = ANY($2::text[])';
/** Jobs that one statement reads: their payloads may be large. */
const MOST = 100;

interface Read {
  readonly id: string;
  /** Or its state alone. */
  readonly isWhole: boolean;
  readonly resolve: (result: PgQueryResult) => void;
  readonly reject: (error: unknown) => void;
}

function kindOf(text: string): keyof typeof READS | undefined {
  if (READS.job.test(text)) return 'job';
  return READS.state.test(text) ? 'state' : undefined;
}

/**
 * The pool, with what is read of single jobs in one turn of the event loop read by one statement: where many are looked at
 * together each would take a round trip and a connection. A job and its state, asked for at once, are of one moment then.
 *
 * @internal
 */
export function readingTogether(pool: SqlPool): SqlPool {
  const waiting = new Map<string, Read[]>();

  const send = (): void => {
    for (const [queue, reads] of waiting) {
      for (let n = 0; n < reads.length; n += MOST) void answer(queue, reads.slice(n, n + MOST));
    }
    waiting.clear();
  };

  const answer = async (queue: string, reads: readonly Read[]): Promise<void> => {
    try {
      const whole = new Set(reads.flatMap(({ id, isWhole }) => (isWhole ? [id] : [])));
      const others = new Set(reads.flatMap(({ id }) => (whole.has(id) ? [] : [id])));
      const rows = new Map<string, object>();
      for (const [statement, ids] of [
        [JOBS, whole],
        [STATES, others],
      ] as const) {
        if (ids.size === 0) continue;
        const result = await pool.query<{ id: string }>(statement, [queue, [...ids]]);
        for (const row of result.rows) rows.set(row.id, row);
      }
      for (const { id, resolve } of reads) {
        const row = rows.get(id);
        resolve({ rows: row ? [row] : [], rowCount: row ? 1 : 0 } as PgQueryResult);
      }
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  };

  const query = (text: string, values?: unknown[]): Promise<PgQueryResult> => {
    const kind = text.length > LONGEST_READ ? undefined : kindOf(text);
    if (!kind) return pool.query(text, values);
    const [queue, id] = values as [string, string];
    return new Promise((resolve, reject) => {
      if (waiting.size === 0) setImmediate(send);
      const read = { id, isWhole: kind === 'job', resolve, reject };
      const reads = waiting.get(queue);
      if (reads) reads.push(read);
      else waiting.set(queue, [read]);
    });
  };
  return Object.create(pool, { query: { value: query } }) as SqlPool;
}
