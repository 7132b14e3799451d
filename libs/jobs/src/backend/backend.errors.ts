/**
 * The store of the jobs could not be reached in time. What was to be enqueued is not.
 *
 * @publicApi
 */
export class BackendUnavailableError extends Error {
  override readonly name = 'BackendUnavailableError';

  constructor(location: string, timeout: number, options?: ErrorOptions) {
    super(`nestjs-jobs: ${location} did not answer within ${timeout} ms.`, options);
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
