import { policyOf } from '../task/method-policies.js';
import type { TaskDefinition } from '../task/task-definition.js';

/** Of `@RateLimited`: what may be another for each item. */
interface Limit {
  readonly key?: unknown;
  readonly cost?: unknown;
}

/**
 * Why a task cannot be run for many items in one job: what has to wait for one of them would run those before it again.
 *
 * @internal
 */
export function whyNotMapped({ name, prototype, method }: TaskDefinition): string | undefined {
  const handler = (prototype as Record<string, object>)[method]!;
  const limits = policyOf<Limit>('limit', handler);
  const isPerItem = limits.some(({ key, cost }) => key !== undefined || typeof cost === 'function');
  const decorator = policyOf('lock', handler).length > 0 ? '@Locked' : isPerItem && '@RateLimited with a key or a cost';
  return decorator
    ? `a task without ${decorator}: "${name}" would run the items before one that waits again. ` +
        'Give a group of its signatures'
    : undefined;
}
