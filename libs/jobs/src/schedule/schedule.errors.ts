/** A schedule is not what it must be: of a decorator, and then the app does not boot, or of a call, and then nothing was done. @publicApi */
export class InvalidScheduleError extends TypeError {
  override readonly name = 'InvalidScheduleError';

  /** @internal */
  constructor(
    place: string,
    /** The message without the place, to go on after "the schedule": for people who gave the settings, such as users. */
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`nestjs-jobs: ${place} ${problem}`, options);
  }
}

/** There is no schedule of this name. @publicApi */
export class ScheduleNotFoundError extends Error {
  override readonly name = 'ScheduleNotFoundError';

  /** @internal */
  constructor(readonly schedule: string) {
    super(`nestjs-jobs: there is no schedule "${schedule}". schedules.list() gives those that there are.`);
  }
}

/** There is another schedule of this name. Nothing was changed. @publicApi */
export class ScheduleExistsError extends Error {
  override readonly name = 'ScheduleExistsError';

  /** @internal */
  constructor(
    readonly schedule: string,
    problem: string,
  ) {
    super(`nestjs-jobs: ${problem}`);
  }
}
