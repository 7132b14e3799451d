import type { JobEventName } from './job-event.js';

/** Read by every copy of the library that an app may have installed, hence a string. */
const LISTENERS = 'nestjs-jobs:on-job-event';

/** What a listener hears of: what its own process does, or whatever happens to the jobs of the fleet. @publicApi */
export type JobEventScope = 'local' | 'fleet';

/** What one `@OnJobEvent` says. @internal */
export interface ListenerRule {
  readonly events: readonly JobEventName[];
  /** Patterns of task names. Null: all. */
  readonly tasks: readonly string[] | null;
  readonly scope: JobEventScope;
}

/** @internal */
export function addListenerRule(method: object, rule: ListenerRule): void {
  Reflect.defineMetadata(LISTENERS, [rule, ...listenerRulesOf(method)], method);
}

/** Of a method, own or inherited, the uppermost first. @internal */
export function listenerRulesOf(method: object): readonly ListenerRule[] {
  return (Reflect.getMetadata(LISTENERS, method) as readonly ListenerRule[] | undefined) ?? [];
}
