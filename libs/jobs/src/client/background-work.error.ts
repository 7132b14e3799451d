/**
 * `jobs.background` was called after the shutdown had waited for the work of the process: nothing was begun. What must
 * not be lost is enqueued as a job.
 *
 * @publicApi
 */
export class BackgroundWorkRefusedError extends Error {
  override readonly name = 'BackgroundWorkRefusedError';

  constructor() {
    super(
      'nestjs-jobs: background work was expected before the end of the shutdown, but this process waits for none any more. ' +
        'Start it earlier, or enqueue a job, which is not lost.',
    );
  }
}
