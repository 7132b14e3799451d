/**
 * The thread of the embedded database ended by itself, or lost its data directory to another process. Statements
 * without an answer may or may not have been committed.
 *
 * @publicApi
 */
export class EmbeddedBackendStoppedError extends Error {
  override readonly name = 'EmbeddedBackendStoppedError';

  constructor(dataDir: string, reason: string, options?: ErrorOptions) {
    super(
      `nestjs-jobs: the embedded database in ${dataDir} stopped: ${reason}. Restart the process; what was committed ` +
        'to a data directory is kept.',
      options,
    );
  }
}
