import type { PgQueryable } from 'bullmq';
import type { Ledger, LedgerRecord, LedgerValue } from '../ledger.js';

const EXPIRY = `clock_timestamp() + $4::double precision * interval '1 millisecond'`;
const LIVE = `(expires_at IS NULL OR expires_at > clock_timestamp())`;

const PUT = `
INSERT INTO jobs_ledger (collection, key, value, expires_at) VALUES ($1, $2, $3::jsonb, ${EXPIRY})
ON CONFLICT (collection, key) DO UPDATE SET value = EXCLUDED.value, expires_at = EXCLUDED.expires_at`;

/**
 * `stored` may be empty although nothing was written: a record that another session committed after this statement's
 * snapshot is a conflict, but cannot be read yet. Then the caller asks again.
 */
const PUT_IF_ABSENT = `
WITH written AS (
  INSERT INTO jobs_ledger AS old (collection, key, value, expires_at) VALUES ($1, $2, $3::jsonb, ${EXPIRY})
  ON CONFLICT (collection, key) DO UPDATE SET value = EXCLUDED.value, expires_at = EXCLUDED.expires_at
    WHERE old.expires_at <= clock_timestamp()
  RETURNING true
)
SELECT EXISTS (SELECT FROM written) AS wrote,
       (SELECT jsonb_build_object('value', value) FROM jobs_ledger WHERE collection = $1 AND key = $2) AS stored`;

const LIST = `
WITH swept AS (DELETE FROM jobs_ledger WHERE collection = $1 AND expires_at <= clock_timestamp())
SELECT key, value FROM jobs_ledger WHERE collection = $1 AND ${LIVE} ORDER BY key COLLATE "C"`;

/** {@link Ledger} in one table, on Postgres and on PGlite. @internal */
export class SqlLedger implements Ledger {
  constructor(private readonly sql: PgQueryable) {}

  async put(collection: string, key: string, value: LedgerValue, ttl?: number): Promise<void> {
    await this.sql.query(PUT, [collection, key, JSON.stringify(value), ttl ?? null]);
  }

  async putIfAbsent(
    collection: string,
    key: string,
    value: LedgerValue,
    ttl?: number,
  ): Promise<LedgerRecord | undefined> {
    for (;;) {
      const { rows } = await this.sql.query(PUT_IF_ABSENT, [collection, key, JSON.stringify(value), ttl ?? null]);
      if (rows[0].wrote) return undefined;
      if (rows[0].stored) return { key, value: rows[0].stored.value };
    }
  }

  async get(collection: string, key: string): Promise<LedgerRecord | undefined> {
    const { rows } = await this.sql.query(
      `SELECT value FROM jobs_ledger WHERE collection = $1 AND key = $2 AND ${LIVE}`,
      [collection, key],
    );
    return rows.length === 0 ? undefined : { key, value: rows[0].value };
  }

  async list(collection: string): Promise<LedgerRecord[]> {
    const { rows } = await this.sql.query<LedgerRecord>(LIST, [collection]);
    return rows;
  }

  async delete(collection: string, key: string): Promise<boolean> {
    const { rows } = await this.sql.query(
      `DELETE FROM jobs_ledger WHERE collection = $1 AND key = $2 RETURNING ${LIVE} AS live`,
      [collection, key],
    );
    return rows[0]?.live === true;
  }
}
