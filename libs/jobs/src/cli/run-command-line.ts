import { CommanderError } from 'commander';
import { EXIT_CODES, exitCodeOf, type ExitCode } from './exit-codes.js';
import { reportError } from './output.js';
import { createProgram, type Surroundings } from './program.js';

/** Milliseconds for whatever keeps the process alive although all is done. */
const LONGEST_END = 2_000;

/** Is the process: does what its command line says, and has it end with the exit code. @internal */
export async function beCommandLine(): Promise<void> {
  // What `ps` shows of a command line with a password in it, from now on.
  process.title = 'nestjs-jobs';
  process.stdout.on('error', endWithReader);
  // Nobody reads why it ends as it does: the exit code says it still.
  process.stderr.on('error', () => {});
  process.exitCode = await runCommandLine(process.argv.slice(2), process);
  setTimeout(() => process.exit(), LONGEST_END).unref();
}

/** Does what a command line says; never rejects. @internal */
export async function runCommandLine(parameters: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  try {
    await createProgram(surroundings).parseAsync(parameters, { from: 'user' });
    return EXIT_CODES.done;
  } catch (error) {
    const exitCode = error instanceof CommanderError ? codeOfUsage(error) : exitCodeOf(error);
    if (exitCode === EXIT_CODES.done || isHelp(error)) return exitCode;
    reportError(error, exitCode, parameters.includes('--json'), surroundings.stderr);
    return exitCode;
  }
}

/** Help that was asked for is no error; help instead of a command is. */
function codeOfUsage({ exitCode }: CommanderError): ExitCode {
  return exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
}

/** It has been printed. */
function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help';
}

/** Whoever reads the output, such as `head`, has seen enough. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}
