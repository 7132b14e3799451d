import type { Command } from 'commander';
import type { CommandContext, Connected } from '../command-context.js';
import { CliError, EXIT_CODES, exitCodeOf } from '../exit-codes.js';
import { counted } from '../times.js';
import { filterOf, withDeadLetterFlags, type DeadLetterFlags } from './dead-letter-flags.js';

interface RedriveFlags extends DeadLetterFlags {
  readonly all?: true;
}

/** What became of one dead letter. */
interface Outcome {
  readonly id: string;
  readonly redrivenAs?: string;
  /** False when it had been redriven before. */
  readonly created?: boolean;
  readonly error?: { readonly name: string; readonly message: string };
}

/** @internal */
export function addRedrive(program: Command, connected: Connected): void {
  withDeadLetterFlags(program.command('redrive'))
    .description('has jobs that failed done again, by new jobs')
    .argument('[ids...]', 'of dead letters')
    .option('--all', 'all dead letters, or all that the other options leave')
    .action(
      connected(async (context, ids: string[], flags: RedriveFlags) => {
        const filter = filterOf(flags, context.session);
        const isFiltered = Object.keys(filter).length > 0;
        if ((flags.all === true) === ids.length > 0 || (ids.length > 0 && isFiltered)) {
          throw new CliError('Give the ids of dead letters, or --all with what they have in common.', EXIT_CODES.usage);
        }
        await (flags.all ? redriveAll(context, filter) : redriveEach(context, ids));
      }),
    );
}

async function redriveEach({ jobs, output }: CommandContext, ids: readonly string[]): Promise<void> {
  const outcomes: Outcome[] = [];
  let failure: Error | undefined;
  for (const id of ids) {
    try {
      const again = await jobs.deadLetters.redrive(id);
      outcomes.push({ id, redrivenAs: again.id, created: again.created });
    } catch (error) {
      const { name, message } = error as Error;
      // The others would fail alike.
      if (exitCodeOf(error) === EXIT_CODES.unavailable) throw error;
      failure ??= error as Error;
      outcomes.push({ id, error: { name, message } });
    }
  }
  output.json({ redriven: outcomes });
  if (failure && ids.length === 1) throw failure;
  output.table<Outcome>(
    [
      { title: 'dead letter', of: ({ id }) => id },
      { title: 'redriven as', of: ({ redrivenAs }) => redrivenAs },
      {
        title: 'outcome',
        of: ({ created, error }) => error?.message ?? (created ? 'redriven' : 'was redriven before'),
      },
    ],
    outcomes,
    '',
  );
  if (!failure) return;
  const failed = outcomes.filter(({ error }) => error).length;
  throw new CliError(`${failed} of ${counted(ids.length, 'dead letter')} were refused.`, exitCodeOf(failure));
}

async function redriveAll(context: CommandContext, given: ReturnType<typeof filterOf>): Promise<void> {
  const { jobs, output, confirm } = context;
  const filter = { ...given, redriven: false };
  const open = await jobs.deadLetters.count(filter);
  await confirm(`This has ${counted(open, 'failed job')} done again, all that fit and were not redriven before.`);
  const { matched, redriven, redrivenBefore, refused, refusals } = await jobs.deadLetters.redriveAll(filter);
  const errors = refusals.map(({ id, error: { name, message } }) => ({ id, error: { name, message } }));
  output.json({ matched, redriven, redrivenBefore, refused, refusals: errors });
  output.line(`${redriven} of ${counted(matched, 'dead letter')} redriven.`);
  if (refused === 0) return;
  output.table<Outcome>(
    [
      { title: 'refused', of: ({ id }) => id },
      { title: 'why', of: ({ error }) => error?.message },
    ],
    errors,
    '',
  );
  throw new CliError(`${counted(refused, 'dead letter')} were refused.`, EXIT_CODES.failed);
}
