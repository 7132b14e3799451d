import type { EnqueueEntryOptions } from './enqueue-options.js';

/** Where a job goes, as far as a route or a router decides it. @publicApi */
export interface TaskPlacement {
  /** A declared queue. */
  readonly queue?: string | undefined;
  /** From 0 to 9, 9 first. */
  readonly priority?: number | undefined;
}

/**
 * Decides where jobs go by what is in them. It is asked once for each job that is enqueued, in the process that enqueues
 * it; what the call or `@Task` says goes before its answer, and a job that both leave nothing open of is not asked about.
 *
 * The idea is Celery's `route_for_task`.
 *
 * @example
 * ```ts
 * import { Injectable, Module } from '@nestjs/common';
 * import { JobsModule, type RoutedOptions, type TaskPlacement, type TaskRouter } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class ByTier implements TaskRouter {
 *   route(task: string, payload: unknown, options: RoutedOptions): TaskPlacement | undefined {
 *     if (options.headers?.['tier'] === 'gold') return { queue: 'critical', priority: 8 };
 *     return task.startsWith('report.') ? { queue: 'bulk' } : undefined;
 *   }
 * }
 *
 * @Module({
 *   providers: [ByTier],
 *   imports: [JobsModule.forRoot({ queues: { critical: {}, bulk: {} }, router: ByTier })],
 * })
 * export class AppModule {}
 * ```
 *
 * @publicApi
 */
export interface TaskRouter {
  /**
   * What it throws, `enqueue` rejects with.
   *
   * @param task - the task's name.
   * @param payload - as the call gave it; not to be changed.
   * @param options - those of the call, with the headers that the job inherits.
   * @returns what it decides; nothing, or not all, to leave the rest to the defaults.
   */
  route(
    task: string,
    payload: unknown,
    options: RoutedOptions,
  ): TaskPlacement | undefined | Promise<TaskPlacement | undefined>;
}

/** The options of a call of `enqueue` that a {@link TaskRouter} sees. @publicApi */
export type RoutedOptions = Readonly<Omit<EnqueueEntryOptions, 'transaction'>>;
