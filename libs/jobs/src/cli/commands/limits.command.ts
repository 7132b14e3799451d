import { InvalidArgumentError, Option, type Command } from 'commander';
import type { LimitAlgorithm } from '../../backend/limits.js';
import type { RateLimitState } from '../../limits/rate-limits.js';
import type { CommandContext, Connected } from '../command-context.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';

const ALGORITHMS: readonly LimitAlgorithm[] = ['token-bucket', 'fixed-window', 'sliding-window'];

interface SetFlags {
  readonly burst?: number;
  readonly algorithm?: LimitAlgorithm;
}

/** @internal */
export function addLimits(program: Command, connected: Connected): void {
  const limits = program.command('limits').description('the rate limits, by name');
  limits.action(connected(async (context) => list(context)));
  limits
    .command('set')
    .description('changes a limit for the whole fleet, until it is reset')
    .argument('<name>', 'of the limit')
    .argument('<limit>', "how many in what time: '10/s', '100/m', '5/10s'")
    .option('--burst <count>', 'of a token bucket: how many at once after a quiet time', wholeNumber)
    .addOption(new Option('--algorithm <name>', 'how it is counted').choices(ALGORITHMS))
    .action(
      connected(async (context, name: string, limit: string, { burst, algorithm }: SetFlags) => {
        const { jobs, output } = context;
        await confirmUnknown(context, name);
        const change = { limit, ...(burst !== undefined && { burst }), ...(algorithm !== undefined && { algorithm }) };
        await jobs.limits.set(name, change);
        const state = await jobs.limits.get(name);
        output.json(state);
        output.line(`The limit ${name} is ${state!.limit} now, with a burst of ${state!.burst}.`);
      }),
    );
  limits
    .command('reset')
    .description('as the code declares it again')
    .argument('<name>', 'of the limit')
    .action(
      connected(async ({ jobs, output }, name: string) => {
        if (!(await jobs.limits.get(name))) throw unknown(name);
        await jobs.limits.reset(name);
        const state = await jobs.limits.get(name);
        output.json(state ?? null);
        output.line(
          state ? `The limit ${name} is ${state.limit} again.` : `The limit ${name} is as the code declares it.`,
        );
      }),
    );
  limits
    .command('pause')
    .description('lets nobody through for a time')
    .argument('<name>', 'of the limit')
    .argument('<duration>', "from now, like '30s'; at most 31 days")
    .option('--key <key>', 'whose part of the limit')
    .action(
      connected(async (context, name: string, duration: string, { key }: { key?: string }) => {
        const { jobs, output, confirm } = context;
        const known = await jobs.limits.get(name);
        const remark = known ? '' : ` ${NOT_DECLARED}`;
        const whose = key === undefined ? '' : ` for ${key}`;
        await confirm(`This holds up all that runs under the limit ${name}${whose} for ${duration}.${remark}`);
        await jobs.limits.pause(name, duration, { ...(key !== undefined && { key }) });
        output.json({ name, ...(key !== undefined && { key }), duration });
        output.line(`The limit ${name} lets nobody through for ${duration}.`);
      }),
    );
}

const NOT_DECLARED = 'No process has declared a limit of this name.';

/** What is set stays for ever, also under a name that was misspelled. */
async function confirmUnknown({ jobs, confirm }: CommandContext, name: string): Promise<void> {
  if (!(await jobs.limits.get(name))) await confirm(`${NOT_DECLARED} This sets "${name}" all the same.`);
}

async function list({ jobs, output }: CommandContext): Promise<void> {
  const limits = await jobs.limits.list();
  output.json({ limits });
  output.table<RateLimitState>(
    [
      { title: 'name', of: ({ name }) => name },
      { title: 'limit', of: ({ limit }) => limit },
      { title: 'burst', of: ({ burst }) => burst, align: 'right' },
      { title: 'algorithm', of: ({ algorithm }) => algorithm },
      { title: 'by', of: ({ isOverridden }) => (isOverridden ? 'set at run time' : 'code') },
      { title: 'factor', of: ({ factor }) => factor, align: 'right' },
    ],
    limits,
    'No limits.',
  );
}

function unknown(name: string): CliError {
  return new CliError(
    `There is no limit "${name}": no process has declared it, and nobody has set it.`,
    EXIT_CODES.notFound,
  );
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above zero.');
}
