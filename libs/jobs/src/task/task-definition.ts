import type { DiscoveryService } from '@nestjs/core';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';

/** Nest's record of a provider; the type itself is exported by Nest 12 only. @internal */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A task that this process has the code of, every option decided. @internal */
export interface TaskDefinition {
  readonly name: string;
  readonly queue: string;
  readonly retry: ResolvedRetryPolicy;
  readonly provider: ProviderWrapper;
  /** Of the class that has the method. */
  readonly prototype: object;
  readonly method: string;
  /** `ClassName.method in ModuleName`, for messages. */
  readonly place: string;
}
