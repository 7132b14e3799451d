/**
 * A {@link ResultStore} was asked for a key that it cannot have given, such as one that leads out of a directory. Nothing
 * was done.
 *
 * @publicApi
 */
export class InvalidResultKeyError extends TypeError {
  override readonly name = 'InvalidResultKeyError';

  /** @internal */
  constructor(key: string) {
    super(
      `nestjs-jobs: ${JSON.stringify(key)} is no key of a result: it must be <queue>/<job id>/<name>, each of 1 to 250 ` +
        'letters, digits, dots, dashes and underscores, and not "." or "..".',
    );
  }
}
