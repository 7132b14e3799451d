import ms from 'ms';
import { nextFire } from '../schedule/next-fire.js';
import type { ScheduleRecords } from '../schedule/schedule-records.js';
import { reached } from './figure-problems.js';
import type { Threshold } from './jobs-health.options.js';
import type { JobsHealthProblem } from './jobs-health.problem.js';

/** The one that is latest, if it is too late: the store finds it by its time, however many there are. @internal */
export async function lateSchedule(records: ScheduleRecords, lag: Threshold): Promise<JobsHealthProblem[]> {
  const least = lag.degraded ?? lag.down;
  if (least === undefined) return [];
  const now = Date.now();
  const [name] = await records.overdue(now - least + 1, 1);
  const found = name === undefined ? undefined : await records.read(name);
  const due = found && nextFire(found.record);
  const late = due === undefined ? undefined : reached(now - due, lag);
  if (!late) return [];
  const since = new Date(due!).toISOString();
  const { task, queue } = found!.record.spec.template;
  return [
    {
      kind: 'schedule-lag',
      ...late,
      message:
        `schedule "${name}" has not fired for ${since}, ${ms(late.value)} ago (${late.status} from ${ms(late.threshold)} on). ` +
        'Processes that work queues send what schedules are for: see whether one lives, and what it logs of the schedule.',
      schedule: name!,
      task,
      queue,
      since,
    },
  ];
}
