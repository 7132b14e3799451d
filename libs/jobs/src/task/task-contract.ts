import { signable, type Signing } from '../canvas/task-signing.js';
import type { JsonSafe, Jsonify } from './json-types.js';
import { assertSchema, type InputOf, type OutputOf, type StandardSchemaV1 } from './standard-schema.js';
import { type SharedTaskOptions, TASK_NAME, TASK_NAME_RULE } from './task-options.js';
import type { TaskRef } from './task-reference.js';
import { InvalidTaskError } from './task.errors.js';

/** Schemas of {@link taskContract}, each a Standard Schema. Both are optional. @publicApi */
export interface ContractSchemas<Input extends StandardSchemaV1, Output extends StandardSchemaV1> {
  /**
   * What a payload must be. `enqueue` checks the payload and stores it as it came; when the job runs, the method gets
   * what the schema makes of it.
   */
  input?: Input;
  /** What the result must be. The method returns what the schema takes; the result is what the schema makes of it. */
  output?: Output;
}

/**
 * A task that is agreed on apart from the class that does it: name, queue, payload and result.
 *
 * @publicApi
 */
export interface TaskContract<
  in Payload = never,
  out Result = unknown,
  Received = unknown,
  Returned = unknown,
> extends TaskRef<Payload, Result> {
  readonly isContract: true;
  /** @internal */
  readonly output: StandardSchemaV1 | undefined;
  /** Types only: what the method takes and returns. */
  readonly __method?: (payload: Received) => Returned;
}

type NoPayload = StandardSchemaV1<undefined>;
type AnyResult = StandardSchemaV1<unknown>;

/**
 * Describes a task for those who enqueue it without having its class: another service, or a package that both share.
 * `@Task(contract)` on a method makes it the contract's task, and does not compile for a method that takes or returns
 * something else.
 *
 * With schemas the types follow from them; without, they are the type arguments: `taskContract<Payload, Result>(...)`, and
 * a third one when pipes make something else of the payload, such as an instance of a DTO class.
 *
 * @param name - the name under which its jobs are stored: at most 200 characters without spaces and colons.
 * @param options - what is decided at enqueueing (`queue`, `priority`, `retry.attempts`, ...), and the schemas.
 * @throws {@link InvalidTaskError} for a bad name, and for a schema that is no Standard Schema.
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { JobsService, Task, taskContract } from 'nestjs-jobs';
 * import { z } from 'zod';
 *
 * export const charge = taskContract('billing.charge', {
 *   input: z.object({ customerId: z.string(), cents: z.int().positive() }),
 *   output: z.object({ receiptId: z.string() }),
 * });
 *
 * @Injectable()
 * export class Billing {
 *   @Task(charge)
 *   async charge(payload: { customerId: string; cents: number }): Promise<{ receiptId: string }> {
 *     return { receiptId: `${payload.customerId}-${payload.cents}` };
 *   }
 * }
 *
 * export async function chargeLater(jobs: JobsService): Promise<string> {
 *   const job = await jobs.enqueue(charge, { customerId: 'ada', cents: 1_200 });
 *   return (await job.result()).receiptId;
 * }
 * ```
 *
 * @publicApi
 */
export function taskContract<Payload = undefined, Result = unknown, Received = Payload>(
  name: string,
  options?: SharedTaskOptions & { input?: undefined; output?: undefined },
): TaskContract<JsonSafe<Payload>, Jsonify<Result>, Received, Result> & Signing<JsonSafe<Payload>, Jsonify<Result>>;
export function taskContract<Input extends StandardSchemaV1 = NoPayload, Output extends StandardSchemaV1 = AnyResult>(
  name: string,
  options: SharedTaskOptions & ContractSchemas<Input, Output>,
): TaskContract<JsonSafe<InputOf<Input>>, Jsonify<OutputOf<Output>>, OutputOf<Input>, InputOf<Output>> &
  Signing<JsonSafe<InputOf<Input>>, Jsonify<OutputOf<Output>>>;
export function taskContract(
  name: string,
  { input, output, ...shared }: SharedTaskOptions & ContractSchemas<StandardSchemaV1, StandardSchemaV1> = {},
): TaskContract {
  const place = `taskContract(${JSON.stringify(name)})`;
  if (typeof name !== 'string' || !TASK_NAME.test(name)) {
    throw new InvalidTaskError(place, 'has no name that a task can have', `It is ${TASK_NAME_RULE}`);
  }
  if (input !== undefined) assertSchema(input, `${place} has an input`);
  if (output !== undefined) assertSchema(output, `${place} has an output`);
  const options = Object.freeze({ ...shared, name, ...(input && { schema: input }) });
  return signable({ name, options, isContract: true, output });
}
