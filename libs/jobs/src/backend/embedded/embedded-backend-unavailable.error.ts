/**
 * The embedded database could not be opened: its package is not installed, or its files could not be read.
 *
 * @publicApi
 */
export class EmbeddedBackendUnavailableError extends Error {
  override readonly name = 'EmbeddedBackendUnavailableError';

  static packageMissing(): EmbeddedBackendUnavailableError {
    return new EmbeddedBackendUnavailableError(
      'nestjs-jobs: the embedded backend needs the package @electric-sql/pglite, which is not installed: ' +
        'npm install @electric-sql/pglite',
    );
  }

  static notOpened(dataDir: string, reason: string, options?: ErrorOptions): EmbeddedBackendUnavailableError {
    return new EmbeddedBackendUnavailableError(
      `nestjs-jobs: the embedded database in ${dataDir} could not be opened: ${reason}. If its files are damaged or ` +
        'were written by another major version of Postgres, restore them from a copy or use another dataDir.',
      options,
    );
  }
}
