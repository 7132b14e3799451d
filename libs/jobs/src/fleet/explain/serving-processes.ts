import type { LedgerRecord } from '../../backend/ledger.js';
import type { ProcessQueue } from '../fleet-types.js';

/** The collection of the ledger in which processes say that they live. @internal */
export const PROCESSES = 'processes';

/** A live process, as far as it matters to the jobs of one queue. @internal */
export interface ServingProcess {
  readonly id: string;
  /** It begins no jobs of the queue. */
  readonly isPaused: boolean;
  /** Undefined of a version before, which does not tell. */
  readonly concurrency: number | undefined;
  /** Whether it has the code of a task; of a version before, which does not tell, nothing else is assumed. */
  readonly has: (task: string) => boolean;
}

/** What a process says of itself; of a version before, less. */
interface Presence {
  readonly queues: readonly (string | Partial<ProcessQueue>)[];
  readonly tasks?: readonly string[];
  readonly draining?: boolean;
}

/** Those that work a queue, of all that gave a sign of life. @internal */
export function servingProcesses(records: readonly LedgerRecord[], queue: string): ServingProcess[] {
  return records.flatMap(({ key: id, value }) => {
    const { queues, tasks, draining = false } = value as unknown as Presence;
    const worked = queues.find((each) => (typeof each === 'string' ? each : each.queue) === queue);
    if (worked === undefined) return [];
    const { concurrency, paused = false } = typeof worked === 'string' ? {} : worked;
    return [{ id, isPaused: paused || draining, concurrency, has: (task) => tasks?.includes(task) ?? true }];
  });
}
