import type { DiscoveryService } from '@nestjs/core';
import type { ResolvedTimeLimit } from '../execution/time-limit.js';
import type { FailureRule } from '../failure/failure-rule.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** Nest's record of a provider; the type itself is exported by Nest 12 only. @internal */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** What the options of a task come to, under those of its class, its queue and the module. @internal */
export interface ResolvedTaskOptions {
  readonly queue: string;
  readonly retry: ResolvedRetryPolicy;
  /** Of a job that went to another declared queue, whose defaults may differ. */
  readonly retryIn: (queue: string) => ResolvedRetryPolicy;
  readonly timeLimit: ResolvedTimeLimit;
  readonly timeLimitIn: (queue: string) => ResolvedTimeLimit;
  /** From 0 to 9. */
  readonly priority: number;
  /** Milliseconds after which a job that was not started is cancelled. */
  readonly expiresIn: number | undefined;
  readonly keepResult: boolean;
}

/** A task that this process has the code of, every option decided. @internal */
export interface TaskDefinition extends ResolvedTaskOptions {
  readonly name: string;
  /** Makes what the pipes get of the payload. */
  readonly input: StandardSchemaV1 | undefined;
  /** Makes the job's result of what is returned. */
  readonly output: StandardSchemaV1 | undefined;
  readonly provider: ProviderWrapper;
  /** Of the class that has the method. */
  readonly prototype: object;
  readonly method: string;
  /** `ClassName.method in ModuleName`, for messages. */
  readonly place: string;
  readonly hasContract: boolean;
  /** Of a handler of failures: which. */
  readonly failures: FailureRule | undefined;
  /** It is called as @nestjs/schedule does: with nothing, outside of Nest's enhancers, and its result is nobody's. */
  readonly isAdopted?: true;
}
