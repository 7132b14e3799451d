import type { Command } from 'commander';
import type { DeadLetterFilter } from '../../dead-letters/dead-letter-filter.js';
import type { JobsSession } from '../jobs-session.js';
import { timeFrom } from '../times.js';

/** Which dead letters are meant. @internal */
export interface DeadLetterFlags {
  readonly task?: string;
  readonly queue?: string;
  readonly error?: string;
  readonly tag?: string;
  readonly since?: string;
  readonly until?: string;
}

/** @internal */
export function withDeadLetterFlags(command: Command): Command {
  return command
    .option('--task <name>', 'of this task; * stands for any characters, ? for one')
    .option('--queue <name>', 'of this queue')
    .option('--error <name>', 'that failed with an error of this name')
    .option('--tag <tag>', 'that have this tag')
    .option('--since <time>', "failed then or later: ISO-8601 with a zone, or a duration like '2h' ago")
    .option('--until <time>', 'failed before then');
}

/** @internal */
export function filterOf(flags: DeadLetterFlags, session: JobsSession): DeadLetterFilter {
  const { task, queue, error, tag, since, until } = flags;
  return {
    ...(task !== undefined && { task }),
    ...(queue !== undefined && { queue: session.requireQueue(queue) }),
    ...(error !== undefined && { error }),
    ...(tag !== undefined && { tag }),
    ...(since !== undefined && { from: timeFrom(since) }),
    ...(until !== undefined && { to: timeFrom(until) }),
  };
}
