import { Injectable } from '@nestjs/common';
import { invalidArgument } from '../client/invalid-argument.error.js';
import type { ResultReference } from './result-reference.js';
import type { ResultStream } from './result-stream.js';
import { StoredResults } from './stored-results.js';

/**
 * Reads results that are kept in `results.store`: `jobs.results`, or injected.
 *
 * @publicApi
 */
@Injectable()
export class JobResults {
  /** @internal */
  constructor(private readonly stored: StoredResults) {}

  /**
   * A result as a stream, for a task that was given the {@link ResultReference} of one before it, or for a
   * `status.resultRef`. Nothing is opened before it is read; reading fails with {@link ResultGoneError} when it is not there
   * any more, and with {@link ResultStoreError}.
   *
   * @throws {@link InvalidArgumentError} when it is no reference.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { JobResults, type ResultReference, Task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Sizes {
   *   constructor(private readonly results: JobResults) {}
   *
   *   @Task()
   *   async lines(file: ResultReference): Promise<number> {
   *     let lines = 0;
   *     for await (const chunk of this.results.open(file)) lines += String(chunk).split('\n').length - 1;
   *     return lines;
   *   }
   * }
   * ```
   */
  open(reference: ResultReference): ResultStream {
    if (typeof (reference as ResultReference | undefined)?.ref !== 'string') {
      throw invalidArgument(
        'the reference of a result',
        'an object like { ref, size, contentType, sha256 }',
        reference,
      );
    }
    return this.stored.stream(reference);
  }
}
