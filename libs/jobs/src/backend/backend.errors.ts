/**
 * The store of the jobs could not be reached, or did not answer in time. In the first case nothing was done; in the
 * second what was asked for may have been done all the same.
 *
 * @publicApi
 */
export class BackendUnavailableError extends Error {
  override readonly name = 'BackendUnavailableError';

  constructor(location: string, timeout: number, cause?: unknown) {
    const reason = cause instanceof Error ? cause.message.replace(/\.$/, '') : `no answer within ${timeout} ms`;
    super(`nestjs-jobs: ${location} cannot be reached: ${reason}.`, cause === undefined ? undefined : { cause });
  }
}

/**
 * An optional peer package that the chosen connection needs is not installed.
 *
 * @publicApi
 */
export class MissingPeerError extends Error {
  override readonly name = 'MissingPeerError';

  constructor(packageName: string, neededFor: string, options?: ErrorOptions) {
    super(`nestjs-jobs: ${neededFor} needs the package ${packageName}: npm install ${packageName}`, options);
  }
}

/**
 * `enqueue` was given a `transaction`, and the jobs are not kept in a Postgres server. Nothing was enqueued.
 *
 * @publicApi
 */
export class TransactionNotSupportedError extends Error {
  override readonly name = 'TransactionNotSupportedError';

  constructor(location: string) {
    super(
      `nestjs-jobs: jobs are kept in ${location}, so they cannot be enqueued in a transaction of yours. ` +
        "Use a postgres:// connection to the transaction's database, or enqueue after the commit.",
    );
  }
}

/**
 * The tables in Postgres are missing or older than this version needs, and the connection says `migrate: false`. The
 * app does not boot.
 *
 * @publicApi
 */
export class MigrationsMissingError extends Error {
  override readonly name = 'MigrationsMissingError';

  constructor(schema: string) {
    super(
      `nestjs-jobs: the tables in the schema "${schema}" are missing or older than this version needs. ` +
        'Run migrateJobs({ connection, namespace }) of nestjs-jobs/postgres before the deploy, or leave out migrate: false.',
    );
  }
}

/**
 * The `transaction` given to `enqueue` is on a database that does not hold the jobs. Postgres has failed the
 * transaction; roll it back.
 *
 * @publicApi
 */
export class TransactionDatabaseError extends Error {
  override readonly name = 'TransactionDatabaseError';

  constructor(schema: string, location: string, cause: unknown) {
    super(
      `nestjs-jobs: the transaction's database has no schema "${schema}" with jobs in it. ` +
        `Jobs are kept in ${location}: begin the transaction there.`,
      { cause },
    );
  }
}

/**
 * The session of the `transaction` given to `enqueue` has a temporary table `job`, which Postgres would take for the
 * table of the jobs. Nothing was enqueued.
 *
 * @publicApi
 */
export class ShadowedTableError extends Error {
  override readonly name = 'ShadowedTableError';

  constructor() {
    super(
      'nestjs-jobs: the session of the transaction has a temporary table named "job", which would get the jobs. ' +
        'Give it another name, or enqueue in another session.',
    );
  }
}
