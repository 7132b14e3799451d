/** A method cannot carry the `@OnJobEvent` it has. The app does not boot. @publicApi */
export class InvalidEventListenerError extends Error {
  override readonly name = 'InvalidEventListenerError';

  /** @internal */
  constructor(place: string, problem: string, fix: string) {
    super(`nestjs-jobs: ${place} ${problem}. ${fix}.`);
  }
}
