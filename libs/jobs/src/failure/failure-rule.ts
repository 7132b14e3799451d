import { taskPattern } from '../options/task-pattern.js';

/** Which failures a handler is for, in a form that can be stored. Null: all. @internal */
export type FailureRule = {
  /** Patterns of task names. */
  readonly tasks: string[] | null;
  /** Names of errors, or of classes of errors. */
  readonly errors: string[] | null;
};

/** @internal */
export function ruleFits({ tasks, errors }: FailureRule, task: string, errorNames: readonly unknown[]): boolean {
  if (tasks && !tasks.some((pattern) => taskPattern(pattern).test(task))) return false;
  return !errors || errors.some((name) => errorNames.includes(name));
}
