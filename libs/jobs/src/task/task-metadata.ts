import type { FailureRule } from '../failure/failure-rule.js';
import type { StandardSchemaV1 } from './standard-schema.js';
import { overShared, withoutUndefined, withTaskDefaults } from './task-defaults.decorator.js';
import type { ContractTaskOptions, TaskOptions } from './task-options.js';
import { InvalidTaskError } from './task.errors.js';

/** Read by every copy of the library that an app may have installed, hence a string. */
const TASK_METADATA = 'nestjs-jobs:task';
/** Of a method that is a task also without `@Task`. @internal */
export const IS_SCHEDULED = 'nestjs-jobs:is-scheduled';

/** What `@Task` or `@OnFailure` on a method was given. @internal */
export type TaskMetadata =
  | { readonly options: TaskOptions; readonly contract?: undefined; readonly failures?: FailureRule }
  | {
      readonly options: ContractTaskOptions;
      readonly failures?: undefined;
      readonly contract: { readonly options: TaskOptions; readonly output: StandardSchemaV1 | undefined };
    };

const WITHOUT_OPTIONS: TaskMetadata = { options: {} };

/** A task as its class declares it. @internal */
export interface TaskDeclaration {
  /** What counts where its jobs are enqueued. */
  readonly enqueued: TaskOptions;
  /** What counts where they run. */
  readonly run: TaskOptions;
  readonly output: StandardSchemaV1 | undefined;
  readonly hasContract: boolean;
  /** Of a handler of failures: which. */
  readonly failures: FailureRule | undefined;
}

/** @throws {@link InvalidTaskError} for a second decorator, of which only one could count. @internal */
export function writeTask(method: object, metadata: TaskMetadata, place: string): void {
  if (Reflect.hasOwnMetadata(TASK_METADATA, method)) {
    const fix = 'A method runs as one kind of job: keep one of the decorators, and call the method from another one';
    throw new InvalidTaskError(place, 'has more than one @Task or @OnFailure', fix);
  }
  Reflect.defineMetadata(TASK_METADATA, metadata, method);
}

/** What the decorator of a method, own or inherited, and `@TaskDefaults` say; undefined when it has none. @internal */
export function readTask(prototype: object, method: string): TaskDeclaration | undefined {
  const handler: unknown = (prototype as Record<string, unknown>)[method];
  if (typeof handler !== 'function') return undefined;
  const metadata =
    (Reflect.getMetadata(TASK_METADATA, handler) as TaskMetadata | undefined) ??
    (Reflect.hasMetadata(IS_SCHEDULED, handler) ? WITHOUT_OPTIONS : undefined);
  if (!metadata) return undefined;
  const { options, contract, failures } = metadata;
  if (!contract) {
    const all = withTaskDefaults(options, prototype.constructor);
    // What a queue says of work that nobody wants any more after a while is not meant for failures that nobody knows of.
    const run = failures ? { expiresIn: false as const, ...withoutUndefined(all) } : all;
    return { enqueued: all, run, output: undefined, hasContract: false, failures };
  }
  const enqueued = contract.options;
  const run = underContract(enqueued, options, prototype);
  return { enqueued, run, output: contract.output, hasContract: true, failures };
}

/** A producer that has only the contract must get the same job, so of all else only what counts in a worker is added. */
function underContract(contract: TaskOptions, options: ContractTaskOptions, prototype: object): TaskOptions {
  const { retry, timeLimit } = withTaskDefaults(options, prototype.constructor);
  if (retry === undefined && timeLimit === undefined) return contract;
  const { attempts: _, ...waits } = retry ?? {};
  return overShared({ ...(retry && { retry: waits }), ...(timeLimit !== undefined && { timeLimit }) }, contract);
}
