import type { PgQueryable } from 'bullmq';
import type { Holding, Line, Lines, TakeOptions, Waiting } from '../lines.js';

/** What is left of a line that nobody asked about for so long (ms) is forgotten: whoever waits asks more often. @internal */
export const FORGOTTEN_AFTER = 24 * 60 * 60 * 1_000;

const TAKE = 'SELECT jobs_line_take($1, $2, $3, $4, $5, $6, $7, $8) AS taken';
const RENEW = 'SELECT jobs_line_renew($1, $2, $3, $4) AS renewed';
const FREE = 'SELECT jobs_line_give_up($1, $2, $3, $4, $5) AS wake';
const LEAVE = 'SELECT jobs_line_leave($1, $2, $3, $4, $5) AS wake';
const IS_CALLED = `
SELECT NOT EXISTS (
  SELECT FROM jobs_waiter WHERE line = $1 AND waiter = $2 AND called_until IS NULL
) AS called`;

/** What `jobs_line_take` answers. @internal */
export interface Taken {
  readonly holds: boolean;
  readonly number: number | null;
  readonly ahead: number;
  readonly freeIn: number;
  readonly wake: string[];
}

/** {@link Lines} in two tables, on Postgres and on PGlite. @internal */
export class SqlLines implements Lines {
  constructor(private readonly sql: PgQueryable) {}

  async take(line: Line, id: string, { ttl, stand, turn }: TakeOptions): Promise<Holding | Waiting> {
    const values = [line.name, line.places, line.patience, id, ttl, stand, turn ?? null, FORGOTTEN_AFTER];
    const { rows } = await this.sql.query<{ taken: Taken }>(TAKE, values);
    return asTaken(rows[0]!.taken);
  }

  async renew(line: Line, id: string, fencingToken: number, ttl: number): Promise<boolean> {
    const { rows } = await this.sql.query<{ renewed: boolean }>(RENEW, [line.name, id, fencingToken, ttl]);
    return rows[0]!.renewed;
  }

  async free(line: Line, id: string, fencingToken: number): Promise<string[]> {
    const values = [line.name, line.places, line.patience, id, fencingToken];
    const { rows } = await this.sql.query<{ wake: string[] }>(FREE, values);
    return rows[0]!.wake;
  }

  async leave(line: Line, id: string, withPlace = false): Promise<string[]> {
    const values = [line.name, line.places, line.patience, id, withPlace];
    const { rows } = await this.sql.query<{ wake: string[] }>(LEAVE, values);
    return rows[0]!.wake;
  }

  async isCalled(line: Line, id: string): Promise<boolean> {
    const { rows } = await this.sql.query<{ called: boolean }>(IS_CALLED, [line.name, id]);
    return rows[0]!.called;
  }
}

/** @internal */
export function asTaken({ holds, number, ahead, freeIn, wake }: Taken): Holding | Waiting {
  if (holds) return { kind: 'holds', fencingToken: number!, wake };
  return { kind: 'waits', turn: number ?? undefined, ahead, freeIn: Math.ceil(freeIn), wake };
}
