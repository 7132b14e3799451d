import { TASK_NAME } from './task-options.js';
import type { TaskRef } from './task-reference.js';

/** What stands for a task, or for those whose names a pattern fits, as a pattern; undefined when it stands for none. @internal */
export function patternOfTask(task: TaskRef | string): string | undefined {
  if (typeof task === 'string') return TASK_NAME.test(task) ? task : undefined;
  // The name of a task may have the characters of patterns in it; a pattern matches itself all the same.
  return typeof task?.name === 'string' && 'options' in task ? task.name : undefined;
}
