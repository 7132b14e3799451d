import { InvalidArgumentError, type Command } from 'commander';
import type { FleetProcess } from '../../fleet/fleet-types.js';
import type { CommandContext, Connected } from '../command-context.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { counted } from '../times.js';
import { SHORT_ID } from './short-id.js';

const PROCESS = 'its id, the beginning of it, or host:pid';

interface OfQueue {
  readonly queue?: string;
}

interface ConcurrencyFlags {
  readonly process?: string;
  readonly fleet?: true;
}

/** The subcommands of `fleet` that change something. @internal */
export function addFleetControl(fleet: Command, connected: Connected): void {
  fleet
    .command('pause-queue')
    .description('begins no job of a queue any more, in the whole fleet, until it is resumed')
    .argument('<queue>', 'its name')
    .action(
      connected(async ({ jobs, output, confirm, session }, name: string) => {
        const queue = session.requireQueue(name);
        const { wait = 0, prioritized = 0 } = await jobs.queue(queue).getJobCounts('wait', 'prioritized');
        await confirm(
          `This pauses the queue ${queue} in the whole fleet; ${counted(wait + prioritized, 'job')} wait in it.`,
        );
        await jobs.fleet.pauseQueue(queue);
        output.json({ queue, paused: true });
        output.line(`The queue ${queue} is paused.`);
      }),
    );
  fleet
    .command('resume-queue')
    .description('ends its pause')
    .argument('<queue>', 'its name')
    .action(
      connected(async ({ jobs, output, session }, name: string) => {
        const queue = session.requireQueue(name);
        await jobs.fleet.resumeQueue(queue);
        output.json({ queue, paused: false });
        output.line(`The queue ${queue} is open.`);
      }),
    );
  fleet
    .command('concurrency')
    .description('how many jobs of a queue a process runs at the same time, until it ends')
    .argument('<queue>', 'its name')
    .argument('<count>', 'from 1; with --fleet also "none"', countOrNone)
    .option('--process <process>', `only this one: ${PROCESS}`)
    .option('--fleet', 'how many the whole fleet runs at the same time, for good')
    .action(connected(concurrency));
  ofProcess(fleet.command('pause'))
    .description('lets a process begin no job until it is resumed')
    .option('--queue <name>', 'only of this queue')
    .action(
      connected(async (context, process: string, { queue }: OfQueue) => {
        const of = queue === undefined ? '' : ` of the queue ${queue}`;
        const id = await confirmFor(context, process, `begins no job${of} any more until it is resumed`);
        tell(context, await context.jobs.fleet.pauseProcess(id, queue === undefined ? {} : { queue }), 'is paused');
      }),
    );
  ofProcess(fleet.command('resume'))
    .description('ends its pause')
    .option('--queue <name>', 'only of this queue')
    .action(
      connected(async (context, process: string, { queue }: OfQueue) => {
        tell(context, await context.jobs.fleet.resumeProcess(process, queue === undefined ? {} : { queue }), 'goes on');
      }),
    );
  ofProcess(fleet.command('drain'))
    .description('has a process finish what it runs and begin nothing more; it lives on')
    .action(
      connected(async (context, process: string) => {
        const id = await confirmFor(context, process, 'drains, and works again only after a restart');
        tell(context, await context.jobs.fleet.drain(id), 'drains');
      }),
    );
  ofProcess(fleet.command('shut-down'))
    .description('ends a process as SIGTERM does')
    .action(
      connected(async (context, process: string) => {
        const id = await confirmFor(context, process, 'shuts down');
        tell(context, await context.jobs.fleet.shutDown(id), 'shuts down');
      }),
    );
}

function ofProcess(command: Command): Command {
  return command.argument('<process>', PROCESS);
}

async function concurrency(
  { jobs, output, session }: CommandContext,
  name: string,
  count: number | undefined,
  { process, fleet }: ConcurrencyFlags,
): Promise<void> {
  const queue = session.requireQueue(name);
  if (fleet && process !== undefined) throw usage('Give --fleet or --process, not both.');
  if (fleet) {
    await jobs.fleet.setGlobalConcurrency(queue, count);
    output.json({ queue, globalConcurrency: count ?? null });
    output.line(
      `The fleet runs ${count ?? 'as many'} jobs of the queue ${queue} at the same time${count ? '' : ' as it has slots'}.`,
    );
    return;
  }
  if (count === undefined)
    throw usage('A process needs a number of at least 1. With --fleet, "none" takes the limit away.');
  const changed = await jobs.fleet.setConcurrency(queue, count, process === undefined ? {} : { process });
  output.json({ queue, concurrency: count, processes: changed });
  const processes = counted(changed.length, 'process', 'processes');
  output.line(`${processes} with up to ${counted(count, 'job')} of the queue ${queue} at the same time.`);
  if (changed.length === 0) throw new CliError(`No live process works the queue ${queue}.`, EXIT_CODES.notFound);
}

/** Says which process is meant and what it does now, and answers its whole id, which no other one has. */
async function confirmFor({ session, confirm }: CommandContext, name: string, what: string): Promise<string> {
  const { id, host, pid, queues } = await session.requireProcess(name);
  const active = queues.reduce((sum, queue) => sum + queue.active, 0);
  const who = `Process ${id.slice(0, SHORT_ID)} (pid ${pid} on ${host})`;
  await confirm(`${who} ${what}. It runs ${counted(active, 'job')} now.`);
  return id;
}

function tell({ output }: CommandContext, process: FleetProcess, what: string): void {
  const { id, pid, host } = process;
  output.json(process);
  output.line(`Process ${id.slice(0, SHORT_ID)} (pid ${pid} on ${host}) ${what}.`);
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}

function countOrNone(text: string): number | undefined {
  if (text === 'none') return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1, or "none".');
}
