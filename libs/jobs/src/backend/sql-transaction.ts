/**
 * A transaction of the caller's, on the database that holds the jobs: a `pg` client between BEGIN and COMMIT, or what
 * `fromTypeOrm`, `fromKnex` and `fromDrizzle` of `nestjs-jobs/postgres` make of theirs.
 *
 * @publicApi
 */
export interface SqlTransaction {
  /** Runs one statement with parameters `$1`, `$2`, ... in the transaction. */
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}
