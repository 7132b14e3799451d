import { InvalidArgumentError, Option, type Command } from 'commander';
import type { DeadLetter } from '../../dead-letters/dead-letter.js';
import type { DeadLetterPage } from '../../dead-letters/dead-letters.js';
import type { DeadLetterListOptions } from '../../dead-letters/dead-letter-filter.js';
import type { CommandContext, Connected } from '../command-context.js';
import { clipped } from '../table.js';
import { timeOf } from '../times.js';
import { filterOf, withDeadLetterFlags, type DeadLetterFlags } from './dead-letter-flags.js';

const MOST = 1_000;
const LONGEST_ERROR = 80;

interface ListFlags extends DeadLetterFlags {
  readonly redriven?: true;
  readonly open?: true;
  readonly limit: number;
  readonly cursor?: string;
}

/** @internal */
export function addDeadLetters(program: Command, connected: Connected): void {
  withDeadLetterFlags(program.command('dead-letters'))
    .description('the jobs that failed, the last one first')
    .addOption(new Option('--redriven', 'only those that were redriven').conflicts('open'))
    .option('--open', 'only those that were not redriven')
    .option('--limit <count>', `how many, at most ${MOST}`, wholeNumber, 50)
    .option('--cursor <cursor>', 'goes on where the page before ended')
    .action(
      connected(async (context, flags: ListFlags) => {
        const { redriven, open, limit, cursor } = flags;
        const page = await read(context, {
          ...filterOf(flags, context.session),
          ...((redriven ?? open) && { redriven: redriven === true }),
          limit,
          ...(cursor !== undefined && { cursor }),
        });
        context.output.json(page);
        show(context, page);
      }),
    );
}

/** A page of the library may be short, and there are more all the same. */
async function read({ jobs }: CommandContext, options: DeadLetterListOptions): Promise<DeadLetterPage> {
  const letters: DeadLetter[] = [];
  let cursor = options.cursor;
  do {
    const limit = options.limit! - letters.length;
    const page = await jobs.deadLetters.list({ ...options, limit, ...(cursor !== undefined && { cursor }) });
    letters.push(...page.letters);
    cursor = page.nextCursor;
  } while (cursor !== undefined && letters.length < options.limit!);
  return { letters, ...(cursor !== undefined && { nextCursor: cursor }) };
}

function show({ output }: CommandContext, { letters, nextCursor }: DeadLetterPage): void {
  output.table<DeadLetter>(
    [
      { title: 'id', of: ({ id }) => id },
      { title: 'task', of: ({ task }) => task },
      { title: 'failed', of: ({ finishedAt }) => timeOf(finishedAt) },
      { title: 'attempts', of: ({ attempt }) => attempt, align: 'right' },
      { title: 'error', of: ({ error }) => error && clipped(`${error.name}: ${error.message}`, LONGEST_ERROR) },
      { title: 'redriven as', of: ({ redrivenAs }) => redrivenAs },
    ],
    letters,
    'No dead letters.',
  );
  if (nextCursor !== undefined) output.line(`\nThere are more: --cursor ${nextCursor}`);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= MOST) return number;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
}
