import type { Type } from '@nestjs/common';
import type { TaskPlacement, TaskRouter } from '../client/task-router.js';
import { InvalidJobsOptionsError } from './jobs-options.error.js';
import type { ResolvedRoute, ResolvedRouting } from './jobs-options.js';
import { OptionReader } from './option-reader.js';
import { taskPattern } from './task-pattern.js';

/** As long as a task's name may be, and of its characters. */
const PATTERN = /^[^\s:]{1,200}$/;
const PATTERN_RULE =
  "a task's name without spaces and colons, in which `*` and `?` stand for others, as in 'payment.*'";
const PLACEMENT_RULE = 'with a queue, a priority or both: what it decides';
/** @internal */
export const ROUTER_RULE = 'a class with the method route(task, payload, options), or an instance of one';

/** Checks the options `routes` and `router`. @internal */
export function resolveRouting(options: OptionReader, queues: ReadonlyMap<string, unknown>): ResolvedRouting {
  const [routes, router] = [options.raw('routes'), options.raw('router')];
  if (routes !== undefined && router !== undefined) {
    const expected = 'absent beside "routes": make one of them do the work of both';
    throw new InvalidJobsOptionsError('router', expected, router);
  }
  if (routes !== undefined && !Array.isArray(routes)) {
    const expected = "an array of routes like { match: 'payment.*', queue: 'critical' }";
    throw new InvalidJobsOptionsError('routes', expected, routes);
  }
  return {
    routes: Array.from((routes ?? []) as unknown[], (route, n) => resolveRoute(route, `routes[${n}]`, queues)),
    router: resolveRouter(router),
  };
}

function resolveRoute(route: unknown, path: string, queues: ReadonlyMap<string, unknown>): ResolvedRoute {
  const expected = "an object like { match: 'payment.*', queue: 'critical', priority: 9 }";
  const reader = OptionReader.of(route, path, ['match', 'queue', 'priority'], expected);
  const match = reader.raw('match');
  if (typeof match !== 'string' || !PATTERN.test(match)) {
    throw new InvalidJobsOptionsError(reader.at('match'), PATTERN_RULE, match);
  }
  const placement = readPlacement(reader, queues);
  if (placement.queue === undefined && placement.priority === undefined) {
    throw new InvalidJobsOptionsError(path, PLACEMENT_RULE, route);
  }
  return { pattern: taskPattern(match), placement };
}

/** Checks what a route or a router decided. @internal */
export function readPlacement(reader: OptionReader, queues: ReadonlyMap<string, unknown>): TaskPlacement {
  return { queue: reader.declaredQueue('queue', queues), priority: reader.priority('priority') };
}

function resolveRouter(router: unknown): TaskRouter | Type<TaskRouter> | undefined {
  if (router === undefined || isTaskRouter(router)) return router;
  // What a class makes can be judged only once Nest has made it.
  if (typeof router === 'function' && router.prototype !== undefined) return router as Type<TaskRouter>;
  throw new InvalidJobsOptionsError('router', ROUTER_RULE, router);
}

/** @internal */
export function isTaskRouter(value: unknown): value is TaskRouter {
  return typeof value === 'object' && typeof (value as Partial<TaskRouter> | null)?.route === 'function';
}
