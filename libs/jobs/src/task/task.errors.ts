/** `task(Class, 'method')` named a method that is no task. @publicApi */
export class NotATaskError extends Error {
  override readonly name = 'NotATaskError';

  constructor(className: string, method: string, fix = 'Put @Task() on the method') {
    super(`nestjs-jobs: ${className}.${method} is no task. ${fix}.`);
  }
}

/** A class or a method cannot carry the `@Task` it has. The app does not boot. @publicApi */
export class InvalidTaskError extends Error {
  override readonly name = 'InvalidTaskError';

  constructor(place: string, problem: string, fix: string) {
    super(`nestjs-jobs: ${place} ${problem}. ${fix}.`);
  }
}

/** Two tasks have one name, so a job could not tell which of them to run. The app does not boot. @publicApi */
export class DuplicateTaskError extends Error {
  override readonly name = 'DuplicateTaskError';

  constructor(taskName: string, first: string, second: string, fix: string) {
    super(`nestjs-jobs: the task name "${taskName}" is used twice, by ${first} and by ${second}. ${fix}.`);
  }
}
