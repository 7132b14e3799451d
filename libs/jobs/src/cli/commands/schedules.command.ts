import type { Command } from 'commander';
import type { ScheduleInfo } from '../../schedule/schedule-info.js';
import type { CommandContext, Connected } from '../command-context.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { durationOf, timeOf } from '../times.js';

const PAGE = 500;

/** @internal */
export function addSchedules(program: Command, connected: Connected): void {
  const schedules = program.command('schedules').description('the schedules, by name');
  schedules
    .option('--owner <name>', 'only those of this owner')
    .action(connected(async (context, { owner }: { owner?: string }) => list(context, owner)));
  schedules
    .command('pause')
    .description('sends no jobs any more until it is resumed')
    .argument('<name>')
    .option('--reason <text>', 'shown with it')
    .action(
      connected(async ({ jobs, output, confirm, session }, name: string, { reason }: { reason?: string }) => {
        await session.requireSchedule(name);
        await confirm(`This pauses the schedule ${name}: what would be due in the pause is never made up for.`);
        const info = await jobs.schedules.pause(name, { ...(reason !== undefined && { reason }) });
        output.json(info);
        output.line(`The schedule ${name} is paused.`);
      }),
    );
  schedules
    .command('resume')
    .description('ends its pause')
    .argument('<name>')
    .action(
      connected(async ({ jobs, output }, name: string) => {
        const info = await jobs.schedules.resume(name);
        output.json(info);
        output.line(
          info.next ? `The schedule ${name} fires next ${timeOf(info.next)}.` : `The schedule ${name} has ended.`,
        );
      }),
    );
  schedules
    .command('trigger')
    .description('sends a job of it now')
    .argument('<name>')
    .action(
      connected(async ({ jobs, output }, name: string) => {
        const { id } = await jobs.schedules.trigger(name);
        output.json({ schedule: name, id });
        output.line(`Job ${id} was sent.`);
      }),
    );
  schedules
    .command('delete')
    .description('removes it; one of the code cannot be removed')
    .argument('<name>')
    .action(
      connected(async ({ jobs, output, confirm, session }, name: string) => {
        const { inCode, state } = await session.requireSchedule(name);
        if (inCode && state !== 'undeclared') {
          const fix = 'Remove its decorator, say { disabled: true } there, or pause it.';
          throw new CliError(`The schedule "${name}" is declared in the code. ${fix}`, EXIT_CODES.refused);
        }
        await confirm(`This deletes the schedule ${name}. Jobs that it has sent stay.`);
        const deleted = await jobs.schedules.delete(name);
        output.json({ schedule: name, deleted });
        output.line(`The schedule ${name} is deleted.`);
      }),
    );
}

async function list({ jobs, output }: CommandContext, owner: string | undefined): Promise<void> {
  const schedules: ScheduleInfo[] = [];
  for (let cursor: string | undefined; ;) {
    const filter = { limit: PAGE, ...(owner !== undefined && { owner }), ...(cursor !== undefined && { cursor }) };
    const page = await jobs.schedules.list(filter);
    schedules.push(...page.schedules);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  output.json({ schedules });
  output.table<ScheduleInfo>(
    [
      { title: 'name', of: ({ name }) => name },
      { title: 'task', of: ({ task }) => task },
      { title: 'queue', of: ({ queue }) => queue },
      { title: 'when', of: whenOf },
      { title: 'state', of: stateOf },
      { title: 'next', of: ({ next }) => timeOf(next) },
      { title: 'sent', of: ({ sent }) => sent, align: 'right' },
      { title: 'missed', of: ({ missedCount }) => missedCount, align: 'right' },
      { title: 'skipped', of: ({ skippedCount }) => skippedCount, align: 'right' },
      { title: 'by', of: ({ inCode, owner: by }) => (inCode ? 'code' : (by ?? 'call')) },
    ],
    schedules,
    'No schedules.',
  );
}

function whenOf({ cron, timeZone, utcOffset, every, startAt }: ScheduleInfo): string | undefined {
  if (every !== undefined) return `every ${durationOf(every)}`;
  if (cron === undefined) return startAt && `once, ${timeOf(startAt)}`;
  return `${cron} ${timeZone ?? (utcOffset === undefined ? 'UTC' : `UTC${utcOffset < 0 ? '' : '+'}${utcOffset}m`)}`;
}

function stateOf({ state, pauseReason }: ScheduleInfo): string {
  return pauseReason === undefined ? state : `${state}: ${pauseReason}`;
}
