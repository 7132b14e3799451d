import { Inject, Injectable } from '@nestjs/common';
import type { TaskPlacement } from '../client/task-router.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { assertDeclaredQueue, OptionReader } from '../options/option-reader.js';
import { assertRetryWaits, resolveRetry, resolveTimeLimit } from '../options/resolve-attempts.js';
import type { ResolvedTimeLimit } from '../execution/time-limit.js';
import type { ResolvedRetryPolicy } from '../retry/retry-policy.js';
import type { ResolvedTaskOptions } from './task-definition.js';
import { TASK_NAME, TASK_NAME_RULE, type TaskOptions } from './task-options.js';

/** What a call of `enqueue` asks for itself, checked. @internal */
export interface CallSettings extends TaskPlacement {
  /** Milliseconds, or false for a time without end. */
  readonly expiresIn?: number | false | undefined;
  readonly keepResult?: boolean | undefined;
}

/** What `@Task` itself says, checked. */
interface TaskLayer extends CallSettings {
  readonly retry: (queue: string) => ResolvedRetryPolicy;
  readonly timeLimit: (queue: string) => ResolvedTimeLimit;
}

const NOTHING: CallSettings = {};
const NO_ROUTE: TaskPlacement = {};

/**
 * What `@Task` options come to under the module's options; the same for producers and for workers. The call decides
 * first, then `@Task`, then the route, then the defaults of the queue that comes of these, then those of the module.
 *
 * @internal
 */
@Injectable()
export class TaskSettings {
  private readonly layers = new WeakMap<TaskOptions, TaskLayer>();

  constructor(@Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions) {}

  /**
   * Of a job that nobody said more of than its task.
   *
   * @throws {@link InvalidJobsOptionsError} that names `place`.
   */
  resolve(
    task: TaskOptions,
    place: string,
    name: string,
    decorator: '@Task' | '@OnFailure' = '@Task',
  ): ResolvedTaskOptions {
    // Read here, where the decorator is known.
    this.layerOf(task, place, decorator);
    const resolved = this.resolveCall(task, place, NOTHING, this.routeOf(name));
    assertRetryWaits(resolved.retry, `${decorator} of ${place}.retry`);
    return resolved;
  }

  /** Of one job; `call.queue` is a declared one. */
  resolveCall(task: TaskOptions, place: string, call: CallSettings, routed: TaskPlacement): ResolvedTaskOptions {
    const layer = this.layerOf(task, place);
    const queue = call.queue ?? layer.queue ?? routed.queue ?? this.options.defaultQueue;
    const { defaults } = this.options.queues.get(queue)!;
    const expiresIn = call.expiresIn ?? layer.expiresIn ?? defaults.expiresIn;
    return {
      queue,
      retry: layer.retry(queue),
      retryIn: layer.retry,
      timeLimit: layer.timeLimit(queue),
      timeLimitIn: layer.timeLimit,
      priority: call.priority ?? layer.priority ?? routed.priority ?? defaults.priority,
      expiresIn: expiresIn === false ? undefined : expiresIn,
      keepResult: call.keepResult ?? layer.keepResult ?? defaults.keepResult,
    };
  }

  /** What call and task leave open, so that a router need not be asked for nothing. */
  leavesOpen(task: TaskOptions, place: string, call: CallSettings): boolean {
    const layer = this.layerOf(task, place);
    return (call.queue ?? layer.queue) === undefined || (call.priority ?? layer.priority) === undefined;
  }

  /** Of the first of the module's routes that the task's name fits. */
  routeOf(name: string): TaskPlacement {
    return this.options.routing.routes.find(({ pattern }) => pattern.test(name))?.placement ?? NO_ROUTE;
  }

  /** @throws {@link InvalidJobsOptionsError} */
  assertDeclared(queue: string, path: string): void {
    assertDeclaredQueue(queue, path, this.options.queues);
  }

  private layerOf(task: TaskOptions, place: string, decorator = '@Task'): TaskLayer {
    let layer = this.layers.get(task);
    if (!layer) {
      layer = this.readLayer(task, `${decorator} of ${place}`);
      this.layers.set(task, layer);
    }
    return layer;
  }

  private readLayer(task: TaskOptions, path: string): TaskLayer {
    const { queues } = this.options;
    const keys = ['name', 'queue', 'retry', 'timeLimit', 'priority', 'expiresIn', 'keepResult', 'schema'];
    const reader = new OptionReader(task, path, keys);
    reader.text('name', '-', TASK_NAME, TASK_NAME_RULE);
    const policies = [...queues].map(
      ([name, { defaults }]) => [name, resolveRetry(task.retry, reader.at('retry'), defaults.retry)] as const,
    );
    const retries = new Map(policies);
    const limits = new Map(
      [...queues].map(
        ([name, { defaults }]) =>
          [name, resolveTimeLimit(task.timeLimit, reader.at('timeLimit'), defaults.timeLimit)] as const,
      ),
    );
    return {
      queue: reader.declaredQueue('queue', queues),
      priority: reader.priority('priority'),
      expiresIn: reader.expiry('expiresIn'),
      keepResult: reader.flag('keepResult'),
      retry: (queue) => retries.get(queue)!,
      timeLimit: (queue) => limits.get(queue)!,
    };
  }
}
