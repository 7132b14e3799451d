/** What the command ends with, for scripts: the numbers are an interface, and stay what they are. @internal */
export const EXIT_CODES = {
  done: 0,
  /** It could not be done, or not all of it; nothing below says why. */
  failed: 1,
  /** The command line cannot be followed. Nothing was done. */
  usage: 2,
  /** There is no such job, queue, schedule, limit or process. */
  notFound: 3,
  /** The store cannot be used: it is away, refuses the login, has no tables, or is open elsewhere. */
  unavailable: 4,
  /** It was not confirmed, or is not possible as things are now. Nothing was done. */
  refused: 5,
} as const;

/** @internal */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** By the names of the library's errors: to compare classes would load them all before a mere `--help`. */
const CODES: Readonly<Record<string, ExitCode>> = {
  InvalidArgumentError: EXIT_CODES.usage,
  InvalidDeadLetterFilterError: EXIT_CODES.usage,
  InvalidEnqueueOptionsError: EXIT_CODES.usage,
  InvalidJobsOptionsError: EXIT_CODES.usage,
  InvalidScheduleError: EXIT_CODES.usage,
  DeadLetterNotFoundError: EXIT_CODES.notFound,
  JobNotFoundError: EXIT_CODES.notFound,
  ProcessNotFoundError: EXIT_CODES.notFound,
  ScheduleNotFoundError: EXIT_CODES.notFound,
  BackendUnavailableError: EXIT_CODES.unavailable,
  DataDirectoryLockedError: EXIT_CODES.unavailable,
  EmbeddedBackendStoppedError: EXIT_CODES.unavailable,
  EmbeddedBackendUnavailableError: EXIT_CODES.unavailable,
  MigrationsMissingError: EXIT_CODES.unavailable,
  MissingPeerError: EXIT_CODES.unavailable,
  DuplicateJobError: EXIT_CODES.refused,
  NotRedrivableError: EXIT_CODES.refused,
  ProcessRefusedError: EXIT_CODES.refused,
  ScheduleExistsError: EXIT_CODES.refused,
};

/** Ends the command with a message for people. @internal */
export class CliError extends Error {
  override readonly name: string = 'CliError';

  constructor(
    message: string,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** @internal */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  const { name } = error as { name?: unknown };
  return typeof name === 'string' && Object.hasOwn(CODES, name) ? CODES[name]! : EXIT_CODES.failed;
}
