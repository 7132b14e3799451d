/** A result was in `results.store` and is not there any more, or not in the one that this process looks in. @publicApi */
export class ResultGoneError extends Error {
  override readonly name = 'ResultGoneError';

  constructor(
    /** {@link ResultReference.ref} */
    readonly ref: string,
    place: string,
  ) {
    super(
      `nestjs-jobs: the result "${ref}" is not in ${place}. It has expired with its job (results.keepFor), or was written ` +
        'by a process with another results.store, or to a directory that this one does not share.',
    );
  }
}

/** The store of results could not be read or written. The attempt is tried again as its task says. @publicApi */
export class ResultStoreError extends Error {
  override readonly name = 'ResultStoreError';

  constructor(what: string, place: string, cause: unknown) {
    super(`nestjs-jobs: ${what} ${place} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
