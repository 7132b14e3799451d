import type { PgQueryable } from 'bullmq';
import {
  MOST_AHEAD,
  MOST_SEEN,
  type Holding,
  type Line,
  type LineSeen,
  type Lines,
  type TakeOptions,
  type Waiting,
} from '../lines.js';

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

/** Those who were called are counted by themselves: of the others there may be many, and an index by their turn. */
const LOOK = `
SELECT (
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', holder, 'expiresAt', floor(extract(epoch FROM expires_at) * 1000))
                            ORDER BY expires_at, holder), '[]')
    FROM (SELECT holder, expires_at FROM jobs_place
           WHERE line = $1 AND expires_at > clock_timestamp()
           ORDER BY expires_at, holder LIMIT ${MOST_SEEN}) AS place
) AS holders, (
  SELECT count(*)::integer FROM jobs_place WHERE line = $1 AND expires_at > clock_timestamp()
) AS held, least(${MOST_AHEAD}, (
  SELECT count(*)::integer FROM jobs_waiter
   WHERE line = $1 AND turn < $3::bigint AND called_until > clock_timestamp()
) + (
  SELECT count(*)::integer FROM (
    SELECT FROM jobs_waiter WHERE line = $1 AND turn < $3::bigint AND called_until IS NULL
     ORDER BY turn LIMIT ${MOST_AHEAD}
  ) AS standing
)) AS ahead, EXISTS (
  SELECT FROM jobs_waiter WHERE line = $1 AND waiter = $2 AND called_until > clock_timestamp()
) AS "isCalled"`;

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

  async look(line: Line, id: string, turn: number): Promise<LineSeen> {
    const { rows } = await this.sql.query<LineSeen>(LOOK, [line.name, id, turn]);
    return rows[0]!;
  }
}

/** @internal */
export function asTaken({ holds, number, ahead, freeIn, wake }: Taken): Holding | Waiting {
  if (holds) return { kind: 'holds', fencingToken: number!, wake };
  return { kind: 'waits', turn: number ?? undefined, ahead, freeIn: Math.ceil(freeIn), wake };
}
