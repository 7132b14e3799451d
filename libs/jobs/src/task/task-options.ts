import type { TimeLimit } from '../execution/time-limit.js';
import type { Duration } from '../options/jobs-options.js';
import type { RetryPolicy } from '../retry/retry-policy.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** What the name of a task must be. @internal */
export const TASK_NAME = /^[^\s:\p{Cc}\p{Cs}]{1,200}$/u;
/** @internal */
export const TASK_NAME_RULE =
  'a name of at most 200 characters without spaces and colons, control characters and half surrogate pairs';

/** The options that the tasks of a class can share by {@link TaskDefaults}. @publicApi */
export interface SharedTaskOptions {
  /** The declared queue that its jobs go to. @default that of its route, or the module's `defaultQueue` */
  queue?: string;
  /** How a failed attempt is tried again. @default the `defaults.retry` of its queue or of the module */
  retry?: RetryPolicy;
  /** How long one attempt may take; `false`: as long as it likes. @default the `defaults.timeLimit` of its queue or of the module */
  timeLimit?: TimeLimit | false;
  /** From 0 to 9, 9 first. @default that of its route, or the `defaults.priority` of its queue or of the module */
  priority?: number;
  /** How long after its time has come a job may still start; `false`: for ever. @default `defaults.expiresIn`, or false */
  expiresIn?: Duration | false;
  /** False: what the method returns is not stored, and `result()` gives null. @default `defaults.keepResult`, or true */
  keepResult?: boolean;
}

/** Options of {@link Task}. @publicApi */
export interface TaskOptions extends SharedTaskOptions {
  /** The name under which jobs of this task are stored, stable over refactorings. @default 'ClassName.method' */
  name?: string;
  /**
   * What a payload must be, as a schema of zod, valibot, arktype or another Standard Schema library. `enqueue` checks
   * the payload and stores it as it came; when the job runs, the method gets what the schema makes of it.
   *
   * @default any JSON
   */
  schema?: StandardSchemaV1;
}

/**
 * Options of {@link Task} beside a contract. What is decided when a job is enqueued stands in the contract itself,
 * because a producer sees nothing else.
 *
 * @publicApi
 */
export interface ContractTaskOptions {
  /** How a failed attempt is tried again. How often it is, the contract says. @default the `defaults.retry` of its queue */
  retry?: Omit<RetryPolicy, 'attempts'>;
  /** How long one attempt may take, where the contract does not say it. @default the `defaults.timeLimit` of its queue */
  timeLimit?: TimeLimit | false;
}
