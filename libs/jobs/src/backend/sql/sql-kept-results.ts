import type { PgQueryable } from 'bullmq';
import type { Kept, KeptResult, KeptResults, Mismatch } from '../kept-results.js';
import type { Holding, Line, TakeOptions, Waiting } from '../lines.js';
import { asTaken, FORGOTTEN_AFTER, type Taken } from './sql-lines.js';

const CLAIM = 'SELECT jobs_claim($1, $2, $3, $4, $5, $6, $7, $8, $9) AS claimed';
const KEEP = 'SELECT jobs_keep_result($1, $2, $3, $4, $5, $6) AS wake';

/** A row for each key, beside the line. @internal */
export class SqlKeptResults implements KeptResults {
  constructor(private readonly sql: PgQueryable) {}

  async claim(
    line: Line,
    id: string,
    { ttl, stand, turn, fingerprint }: TakeOptions & { readonly fingerprint: string },
  ): Promise<Holding | Waiting | Kept | Mismatch> {
    const values = [line.name, line.places, line.patience, id, ttl, stand, turn ?? null, FORGOTTEN_AFTER, fingerprint];
    const { rows } = await this.sql.query<{ claimed: Taken | Kept | Mismatch }>(CLAIM, values);
    const { claimed } = rows[0]!;
    return 'kind' in claimed ? claimed : asTaken(claimed);
  }

  async keep(
    line: Line,
    id: string,
    { fencingToken, fingerprint, value, keepFor }: KeptResult,
  ): Promise<string[] | undefined> {
    const values = [line.name, id, fencingToken, fingerprint, value, keepFor];
    const { rows } = await this.sql.query<{ wake: string[] | null }>(KEEP, values);
    return rows[0]!.wake ?? undefined;
  }
}
