import type { Command } from 'commander';
import type { Connected } from '../command-context.js';
import { counted } from '../times.js';

/** @internal */
export function addPurge(program: Command, connected: Connected): void {
  program
    .command('purge')
    .description('removes all jobs of a queue that wait; nothing is left of them')
    .argument('<queue>', 'its name')
    .action(
      connected(async ({ jobs, output, confirm, session }, name: string) => {
        const queue = session.requireQueue(name);
        const counts = await jobs.queue(queue).getJobCounts('wait', 'prioritized', 'delayed');
        const waiting = Object.values(counts).reduce((sum, count) => sum + count, 0);
        await confirm(`This removes ${counted(waiting, 'job')} of the queue ${queue} that wait, for good.`);
        const removed = await jobs.purge(queue);
        output.json({ queue, removed });
        output.line(`${counted(removed, 'job')} of the queue ${queue} removed.`);
      }),
    );
}
