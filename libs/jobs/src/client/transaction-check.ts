import type { SqlTransaction } from '../backend/sql-transaction.js';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';

/** What is told from the outside: whether `pg` itself knows that this client is in no good transaction. @internal */
export function assertTransaction(value: unknown, path: string): asserts value is SqlTransaction {
  if (typeof value !== 'object' || value === null || !('query' in value) || typeof value.query !== 'function') {
    const expected =
      'a pg client between BEGIN and COMMIT, or what fromTypeOrm, fromKnex or fromDrizzle of nestjs-jobs/postgres gives';
    throw new InvalidJobsOptionsError(path, expected, value);
  }
  if (isPool(value)) {
    throw new InvalidEnqueueOptionsError(
      `nestjs-jobs: option "${path}" must be the one client that said BEGIN, but is a pool, which runs each statement ` +
        'on another connection. Take a client of it, await pool.connect(), send BEGIN on that one and pass it.',
    );
  }
  const status = transactionStatus(value);
  if (status === 'I') {
    throw new InvalidEnqueueOptionsError(
      `nestjs-jobs: option "${path}" must be a client in a transaction, but this one is in none: the job would be ` +
        "stored at once. Send BEGIN first, await client.query('BEGIN'), and enqueue before COMMIT.",
    );
  }
  if (status === 'E') {
    throw new InvalidEnqueueOptionsError(
      `nestjs-jobs: option "${path}" must be a client in a transaction that can still commit, but a statement of this ` +
        "one has failed, and Postgres refuses the rest. Send ROLLBACK, await client.query('ROLLBACK'), and begin anew.",
    );
  }
}

function isPool(value: object): boolean {
  const { connect, totalCount, idleCount } = value as Record<string, unknown>;
  return typeof connect === 'function' && typeof totalCount === 'number' && typeof idleCount === 'number';
}

/** The status byte of Postgres's protocol, in `pg` since 8.20: I idle, T in a transaction, E in a failed one. */
function transactionStatus(client: object): unknown {
  const { getTransactionStatus } = client as { getTransactionStatus?: unknown };
  return typeof getTransactionStatus === 'function' ? (getTransactionStatus.call(client) as unknown) : undefined;
}
