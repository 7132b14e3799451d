import { Command, InvalidArgumentError, Option } from 'commander';
import { LIBRARY_VERSION } from '../library-version.js';
import { parseDuration } from '../options/option-reader.js';
import type { CommandContext, Connected } from './command-context.js';
import { addCancel } from './commands/cancel.command.js';
import { addDeadLetters } from './commands/dead-letters.command.js';
import { addFleet } from './commands/fleet.command.js';
import { addLimits } from './commands/limits.command.js';
import { addPurge } from './commands/purge.command.js';
import { addRedrive } from './commands/redrive.command.js';
import { addSchedules } from './commands/schedules.command.js';
import { addStatus } from './commands/status.command.js';
import { addWhy } from './commands/why.command.js';
import { requireConfirmation } from './confirmation.js';
import { Output, wantsColour } from './output.js';
import { readPlace, type PlaceFlags } from './store-place.js';

/** The options that every command takes. @internal */
export interface GlobalFlags extends PlaceFlags {
  readonly queues: readonly string[];
  readonly timeout: string;
  readonly json?: true;
  readonly yes?: true;
  readonly color: boolean;
}

/** What a command has of its process. @internal */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean };
}

const AFTER = `
Environment:
  JOBS_URL, JOBS_DATA_DIR, JOBS_NAMESPACE  where the jobs are. Prefer JOBS_URL to --url: others on the machine can see
                                           a command line, and the password in it.

Exit codes:
  0 done    1 failed    2 wrong usage    3 not found    4 store not reachable or not usable    5 refused`;

/** The command line as it is declared; nothing is connected or loaded for it yet. @internal */
export function createProgram({ env, stdin, stdout, stderr }: Surroundings): Command {
  const program = new Command('nestjs-jobs')
    .description('Looks at the jobs of a fleet, and controls them.')
    .version(LIBRARY_VERSION)
    .option('--url <url>', 'redis://, rediss://, postgres:// or postgresql:// (better: the variable JOBS_URL)')
    .option('--data-dir <directory>', 'of an embedded store that no process has open (or JOBS_DATA_DIR)')
    .option('--namespace <name>', "the app's option `namespace` (or JOBS_NAMESPACE; default: jobs)")
    .addOption(
      new Option('--queues <names>', 'queues that no process has declared yet, between commas')
        .argParser((names) => names.split(',').map((name) => name.trim()))
        .default([], 'none'),
    )
    .option('--timeout <duration>', 'how long a store that is away is waited for', duration, '5s')
    .option('--json', 'one JSON document on stdout; errors as JSON on stderr')
    .option('-y, --yes', 'do not ask before what stops, removes or repeats work')
    .option('--no-color', 'no colours (also: the variable NO_COLOR)')
    .addHelpText('after', AFTER)
    .configureHelp({ showGlobalOptions: true })
    // One place says what is wrong, as text or as JSON.
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => {},
    })
    .exitOverride();

  const connected: Connected =
    (action) =>
    async (...parameters) => {
      const flags = program.opts<GlobalFlags>();
      const place = readPlace(flags, env);
      const colour = flags.color && wantsColour(stdout, env);
      const output = new Output({ json: flags.json === true, colour }, stdout);
      // Nest and BullMQ take most of the time until something happens: not for --help, and not for a wrong command.
      const { JobsSession } = await import('./jobs-session.js');
      const session = await JobsSession.open({ place, timeout: flags.timeout, queues: flags.queues });
      const context: CommandContext = {
        jobs: session.jobs,
        session,
        output,
        confirm: (what) => requireConfirmation(what, flags.yes === true, { input: stdin, output: stderr }),
      };
      try {
        await action(context, ...parameters);
      } finally {
        await session.close();
      }
    };
  for (const add of [
    addFleet,
    addWhy,
    addStatus,
    addCancel,
    addDeadLetters,
    addRedrive,
    addSchedules,
    addLimits,
    addPurge,
  ]) {
    add(program, connected);
  }
  return program;
}

function duration(text: string): string {
  if ((parseDuration(text) ?? 0) > 0) return text;
  throw new InvalidArgumentError("It must be a duration above zero, like '5s'.");
}
