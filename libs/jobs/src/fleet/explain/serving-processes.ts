import type { ProcessRecord } from '../process-record.js';
import type { ClaimSeen } from './job-picture.js';

/** A live process, as far as it matters to the jobs of one queue. @internal */
export interface ServingProcess {
  readonly id: string;
  /** It begins no jobs of the queue. */
  readonly isPaused: boolean;
  /** Undefined of a version before, which does not tell. */
  readonly concurrency: number | undefined;
  /** Jobs of the queue that it ran at its last sign of life. */
  readonly active: number;
  /** Whether it has the code of a task; of a version before, which does not tell, nothing else is assumed. */
  readonly has: (task: string) => boolean;
}

/** Those that work a queue, of all that live. @internal */
export function servingProcesses(processes: readonly ProcessRecord[], queue: string): ServingProcess[] {
  return processes.flatMap(({ id, queues, tasks, tellsTasks, draining }) => {
    const worked = queues.find((each) => each.queue === queue);
    if (!worked) return [];
    const { paused, concurrency, active, worker } = worked;
    return [
      {
        id,
        isPaused: paused || draining,
        active,
        concurrency: worker === '' ? undefined : concurrency,
        has: (task) => !tellsTasks || tasks.includes(task),
      },
    ];
  });
}

/** Who has the claim on a job that runs. @internal */
export function claimOf(processes: readonly ProcessRecord[], queue: string, token: string | undefined): ClaimSeen {
  // BullMQ counts its fetches behind the id of the worker.
  const worker = token?.split(':')[0];
  const own = processes.flatMap(({ id, queues }) =>
    queues.filter((each) => each.queue === queue).map((each) => ({ id, worker: each.worker })),
  );
  const process = worker === undefined ? undefined : own.find((each) => each.worker === worker)?.id;
  return { process, isLost: process === undefined && own.every((each) => each.worker !== '') };
}
