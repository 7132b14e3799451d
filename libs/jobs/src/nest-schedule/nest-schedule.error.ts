/**
 * The methods of @nestjs/schedule were to run once in the fleet (`adoptNestSchedule: true`), and that cannot be: its module
 * is not imported, or is none that this version knows. The app does not boot.
 *
 * @publicApi
 */
export class NestScheduleError extends Error {
  override readonly name = 'NestScheduleError';

  /** @internal */
  constructor(problem: string) {
    super(`nestjs-jobs: adoptNestSchedule is true, but ${problem}`);
  }
}
