import type { Command } from 'commander';
import type { QueueFigures } from '../../census/figures.js';
import type { ActiveJob, FleetProcess, Pong, RegisteredTask, ScheduledJob } from '../../fleet/fleet-types.js';
import type { CommandContext, Connected } from '../command-context.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { ageOf, counted, durationOf, timeOf } from '../times.js';
import { addFleetControl } from './fleet-control.js';
import { SHORT_ID } from './short-id.js';

const MEGABYTE = 1024 * 1024;

interface JobsFlags {
  readonly queue?: string;
}

/** @internal */
export function addFleet(program: Command, connected: Connected): void {
  const fleet = program.command('fleet').description('the live processes, and the queues with their figures');
  fleet.action(connected(async (context) => overview(context)));
  fleet
    .command('ping')
    .description('asks all processes for an answer')
    .action(connected(async (context) => ping(context)));
  fleet
    .command('active')
    .description('the jobs that run')
    .option('--queue <name>', 'of this queue')
    .action(
      connected(async ({ jobs, output, session }, { queue }: JobsFlags) => {
        const active = await jobs.fleet.active(queue === undefined ? {} : { queue: session.requireQueue(queue) });
        output.json({ jobs: active });
        output.table<ActiveJob>(
          [
            { title: 'id', of: ({ id }) => id },
            { title: 'task', of: ({ task }) => task },
            { title: 'attempt', of: ({ attempt }) => attempt, align: 'right' },
            { title: 'started', of: ({ startedAt }) => timeOf(startedAt) },
            { title: 'process', of: ({ process }) => process?.slice(0, SHORT_ID) ?? 'none that lives' },
          ],
          active,
          'No job runs.',
        );
      }),
    );
  fleet
    .command('scheduled')
    .description('the jobs whose time has not come')
    .option('--queue <name>', 'of this queue')
    .action(
      connected(async ({ jobs, output, session }, { queue }: JobsFlags) => {
        const scheduled = await jobs.fleet.scheduled(queue === undefined ? {} : { queue: session.requireQueue(queue) });
        output.json({ jobs: scheduled });
        output.table<ScheduledJob>(
          [
            { title: 'id', of: ({ id }) => id },
            { title: 'task', of: ({ task }) => task },
            { title: 'state', of: ({ state }) => state },
            { title: 'due', of: ({ dueAt }) => timeOf(dueAt) },
          ],
          scheduled,
          'No job waits for its time.',
        );
      }),
    );
  fleet
    .command('tasks')
    .description('the tasks whose code some live process has')
    .action(
      connected(async ({ jobs, output }) => {
        const tasks = await jobs.fleet.registered();
        output.json({ tasks });
        output.table<RegisteredTask>(
          [
            { title: 'task', of: ({ task }) => task },
            { title: 'processes', of: ({ processes }) => processes.map((id) => id.slice(0, SHORT_ID)).join(', ') },
          ],
          tasks,
          'No live process has a task.',
        );
      }),
    );
  addFleetControl(fleet, connected);
}

async function overview({ jobs, output }: CommandContext): Promise<void> {
  const [processes, stats] = await Promise.all([jobs.fleet.processes(), jobs.fleet.stats()]);
  output.json({ processes, stats });
  output.table<FleetProcess>(
    [
      { title: 'process', of: ({ id }) => id.slice(0, SHORT_ID) },
      { title: 'host', of: ({ host }) => host },
      { title: 'pid', of: ({ pid }) => pid, align: 'right' },
      { title: 'version', of: ({ version }) => version },
      { title: 'up', of: ({ startedAt }) => ageOf(startedAt), align: 'right' },
      { title: 'memory', of: ({ memory }) => `${Math.round(memory / MEGABYTE)} MB`, align: 'right' },
      { title: 'lag', of: ({ eventLoopLag }) => durationOf(eventLoopLag), align: 'right' },
      { title: 'state', of: stateOf },
      { title: 'queues', of: queuesOf },
    ],
    processes,
    'No live process.',
  );
  output.line();
  output.table<QueueFigures>(
    [
      { title: 'queue', of: ({ queue }) => queue },
      { title: 'waiting', of: ({ waiting }) => waiting, align: 'right' },
      { title: 'oldest', of: oldestOf, align: 'right' },
      { title: 'delayed', of: ({ delayed }) => delayed, align: 'right' },
      { title: 'blocked', of: ({ blocked }) => blocked, align: 'right' },
      { title: 'running', of: ({ running }) => running, align: 'right' },
      { title: 'slots', of: ({ queue }) => stats.slots[queue] ?? 0, align: 'right' },
      { title: 'dead letters', of: ({ deadLetters }) => deadLetters, align: 'right' },
      { title: 'state', of: ({ paused }) => (paused ? 'paused' : 'open') },
    ],
    stats.queues,
    'No queues.',
  );
  output.line(`\n${counted(stats.processes, 'process', 'processes')}, ${stats.workers} of them with workers.`);
}

function stateOf({ draining, queues }: FleetProcess): string {
  if (draining) return 'draining';
  if (queues.length === 0) return 'no workers';
  return queues.every(({ paused }) => paused) ? 'paused' : 'working';
}

/** As in `default 3/10`: that many jobs in that many slots. */
function queuesOf({ queues }: FleetProcess): string {
  return queues
    .map(({ queue, active, concurrency, paused }) => `${queue} ${active}/${concurrency}${paused ? ' paused' : ''}`)
    .join(', ');
}

function oldestOf({ oldestWaitingSince }: QueueFigures): string | undefined {
  return oldestWaitingSince === undefined ? undefined : durationOf(Math.max(0, Date.now() - oldestWaitingSince));
}

async function ping({ jobs, output }: CommandContext): Promise<void> {
  const processes = await jobs.fleet.processes();
  const pongs = await jobs.fleet.ping();
  const silent = processes.filter(({ id }) => pongs.every(({ process }) => process !== id));
  output.json({ answered: pongs, silent: silent.map(({ id, host, pid }) => ({ process: id, host, pid })) });
  output.table<Omit<Pong, 'took'> & Partial<Pong>>(
    [
      { title: 'process', of: ({ process }) => process.slice(0, SHORT_ID) },
      { title: 'host', of: ({ host }) => host },
      { title: 'pid', of: ({ pid }) => pid, align: 'right' },
      { title: 'answer', of: ({ took }) => (took === undefined ? 'none' : durationOf(took)), align: 'right' },
    ],
    [...pongs, ...silent.map(({ id, host, pid }) => ({ process: id, host, pid }))],
    'No live process.',
  );
  if (processes.length + pongs.length === 0) throw new CliError('There is no live process.', EXIT_CODES.failed);
  if (silent.length === 0) return;
  const of = counted(processes.length, 'process', 'processes');
  throw new CliError(`${silent.length} of ${of} did not answer.`, EXIT_CODES.failed);
}
