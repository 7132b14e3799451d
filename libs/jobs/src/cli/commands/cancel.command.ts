import type { Command } from 'commander';
import type { Connected } from '../command-context.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';

interface CancelFlags {
  readonly reason?: string;
  readonly flow?: true;
}

/** @internal */
export function addCancel(program: Command, connected: Connected): void {
  program
    .command('cancel')
    .description('cancels a job; one that runs is asked to stop')
    .argument('<id>', 'of the job')
    .option('--reason <text>', 'shown in its status')
    .option('--flow', 'and all jobs that it waits for')
    .action(
      connected(async ({ jobs, output, confirm }, id: string, { reason, flow }: CancelFlags) => {
        const handle = jobs.job(id);
        const before = await handle.status();
        if (before.terminal && before.state !== 'cancelled') throw hasEnded(id, before.state);
        const rest = flow ? ', and all that it waits for' : '';
        if (!before.terminal)
          await confirm(`This cancels job ${id} of the task ${before.task}, which is ${before.state}${rest}.`);
        const isCancelled = await handle.cancel({ ...(reason !== undefined && { reason }), ...(flow && { flow }) });
        const { state } = await handle.status();
        if (!isCancelled) throw hasEnded(id, state);
        output.json({ id, cancelled: state === 'cancelled', state });
        output.line(state === 'cancelled' ? `Job ${id} is cancelled.` : `Job ${id} runs, and has been asked to stop.`);
      }),
    );
}

function hasEnded(id: string, state: string): CliError {
  return new CliError(`Job ${id} has ended: it is ${state}. Nothing was done.`, EXIT_CODES.refused);
}
