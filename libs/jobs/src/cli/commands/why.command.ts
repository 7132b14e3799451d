import type { Command } from 'commander';
import type { Connected } from '../command-context.js';

/** @internal */
export function addWhy(program: Command, connected: Connected): void {
  program
    .command('why')
    .description('why a job does not run, and what can be done')
    .argument('<id>', 'of the job')
    .action(
      connected(async ({ jobs, output }, id: string) => {
        const explanation = await jobs.fleet.why(id);
        output.json(explanation);
        output.list([
          ['id', explanation.id],
          ['task', explanation.task],
          ['queue', explanation.queue],
          ['state', explanation.state],
          ['reason', explanation.reason.kind],
          ['also', explanation.also.map(({ kind }) => kind).join(', ')],
        ]);
        output.line();
        output.line(explanation.message);
      }),
    );
}
