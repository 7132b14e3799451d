import type { PgQueryable } from 'bullmq';
import { readLimitAnswer, toMicroseconds, type LimitAnswer } from '../limit-answer.js';
import type {
  Bucket,
  Granted,
  LimitChange,
  LimitChanges,
  Limited,
  LimitRule,
  LimitSeen,
  Limits,
  TakeLimit,
  Ticket,
} from '../limits.js';

const TAKE = 'SELECT jobs_limit_take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS taken';
const GIVE_BACK = 'SELECT jobs_limit_give_back($1, $2, $3, $4, $5, $6, $7, $8, $9)';
const PAUSE = 'SELECT jobs_limit_pause($1, $2, $3)';
const CHANGE = `
INSERT INTO jobs_limit_change VALUES ($1, $2::jsonb) ON CONFLICT (name) DO UPDATE SET change = EXCLUDED.change`;
const FORGET_CHANGE = 'DELETE FROM jobs_limit_change WHERE name = $1';
const SCALE = `
INSERT INTO jobs_limit_factor (factor) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET factor = EXCLUDED.factor`;
const CHANGES = `
SELECT coalesce(jsonb_object_agg(name, change), '{}') AS changes,
       coalesce((SELECT factor FROM jobs_limit_factor), 1) AS factor
  FROM jobs_limit_change`;
const LOOK = `
SELECT (
  SELECT ceil(paused_until / 1000) FROM jobs_limit
   WHERE name = $1 AND key = $2 AND paused_until > extract(epoch FROM clock_timestamp()) * 1000000
) AS "pausedUntil", (
  SELECT change FROM jobs_limit_change WHERE name = $1
) AS change, coalesce((SELECT factor FROM jobs_limit_factor), 1) AS factor`;

/** {@link Limits} in tables, on Postgres and on PGlite. @internal */
export class SqlLimits implements Limits {
  constructor(private readonly sql: PgQueryable) {}

  async take(bucket: Bucket, rule: LimitRule, options: TakeLimit): Promise<Granted | Limited> {
    const { cost, maxWait, patience = 0, ticket } = options;
    const { rows } = await this.sql.query<{ taken: LimitAnswer }>(TAKE, [
      ...ruleValues(bucket, rule, cost),
      maxWait === Infinity ? 'Infinity' : toMicroseconds(maxWait),
      toMicroseconds(patience),
      ...(ticket ? ticketValues(ticket) : [null, null]),
    ]);
    return readLimitAnswer(rows[0]!.taken);
  }

  async giveBack(bucket: Bucket, rule: LimitRule, cost: number, ticket: Ticket): Promise<void> {
    await this.sql.query(GIVE_BACK, [...ruleValues(bucket, rule, cost), ...ticketValues(ticket)]);
  }

  async pause({ name, key }: Bucket, duration: number): Promise<void> {
    await this.sql.query(PAUSE, [name, key, Math.ceil(duration)]);
  }

  async change(name: string, change: LimitChange | undefined): Promise<void> {
    if (change) await this.sql.query(CHANGE, [name, JSON.stringify(change)]);
    else await this.sql.query(FORGET_CHANGE, [name]);
  }

  async scale(factor: number): Promise<void> {
    await this.sql.query(SCALE, [factor]);
  }

  async changes(): Promise<LimitChanges> {
    const { rows } = await this.sql.query<{ changes: Record<string, LimitChange>; factor: number }>(CHANGES);
    const { changes, factor } = rows[0]!;
    return { changes: new Map(Object.entries(changes)), factor };
  }

  async look({ name, key }: Bucket): Promise<LimitSeen> {
    type Row = { pausedUntil: number | null; change: LimitChange | null; factor: number };
    const { rows } = await this.sql.query<Row>(LOOK, [name, key]);
    const { pausedUntil, change, factor } = rows[0]!;
    return { pausedUntil: pausedUntil ?? undefined, change: change ?? undefined, factor };
  }
}

function ruleValues({ name, key }: Bucket, rule: LimitRule, cost: number): (string | number)[] {
  return [name, key, rule.limit, rule.period, rule.burst, rule.algorithm, cost];
}

function ticketValues({ at, round }: Ticket): number[] {
  return [toMicroseconds(at), round];
}
