/**
 * The embedded database could not be opened: its files cannot be read, most often.
 *
 * @publicApi
 */
export class EmbeddedBackendUnavailableError extends Error {
  override readonly name = 'EmbeddedBackendUnavailableError';

  constructor(dataDir: string, reason: string, options?: ErrorOptions) {
    super(
      `nestjs-jobs: the embedded database in ${dataDir} could not be opened: ${reason}. If its files are damaged or ` +
        'were written by another major version of Postgres, restore them from a copy or use another dataDir.',
      options,
    );
  }
}
