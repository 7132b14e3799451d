import { Inject, Injectable, type Type } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { isPlainObject, OptionReader } from '../options/option-reader.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { isTaskRouter, readPlacement, ROUTER_RULE } from '../options/resolve-routing.js';
import { TaskSettings } from '../task/task.settings.js';
import { InvalidEnqueueOptionsError, InvalidRouteError } from './client.errors.js';
import type { EnqueueCall } from './enqueue-call.js';
import type { TaskPlacement, TaskRouter } from './task-router.js';

const NOTHING: TaskPlacement = {};

/** Asks the module's routes or its router where jobs go. @internal */
@Injectable()
export class Routing {
  private router: TaskRouter | undefined;

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly discovery: DiscoveryService,
    private readonly settings: TaskSettings,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /**
   * Has Nest make the router, when it is a class.
   *
   * @throws {@link InvalidJobsOptionsError}
   */
  async open(): Promise<void> {
    const { router } = this.options.routing;
    this.router = typeof router === 'function' ? await this.make(router) : router;
  }

  /** What `@Task` and the call say goes before it. A promise only of a router. */
  place(call: EnqueueCall, place: string): TaskPlacement | Promise<TaskPlacement> {
    const { ref, options } = call;
    if (!this.router) {
      if (this.options.routing.router !== undefined) throw notMadeYet(ref.name);
      return this.settings.routeOf(ref.name);
    }
    return this.settings.leavesOpen(ref.options, place, options) ? this.ask(this.router, call, place) : NOTHING;
  }

  private async ask(
    router: TaskRouter,
    { ref, payload, given, headers }: EnqueueCall,
    place: string,
  ): Promise<TaskPlacement> {
    const { transaction: _, ...asked } = given ?? {};
    const answer: unknown = await router.route(ref.name, payload, { ...asked, headers });
    return this.check(answer, place);
  }

  private check(answer: unknown, place: string): TaskPlacement {
    if (answer === undefined || answer === null) return NOTHING;
    try {
      const expected = "an object like { queue: 'critical', priority: 9 }, or undefined";
      if (!isPlainObject(answer)) throw new InvalidJobsOptionsError('(all)', expected, answer);
      const reader = new OptionReader(answer, '', ['queue', 'priority']);
      return readPlacement(reader, this.options.queues);
    } catch (error) {
      const { name } = this.router!.constructor;
      throw new InvalidRouteError(name || 'of a class without a name', place, error as Error);
    }
  }

  private async make(router: Type<TaskRouter>): Promise<TaskRouter> {
    const made = this.provided(router) ?? (await this.create(router));
    if (isTaskRouter(made)) return made;
    throw new InvalidJobsOptionsError('router', ROUTER_RULE, router);
  }

  /** By any module of the app, exported or not. */
  private provided(router: Type<TaskRouter>): unknown {
    const provider = this.discovery.getProviders().find(({ token }) => token === router);
    if (!provider) return undefined;
    if (provider.isDependencyTreeStatic() && !provider.isTransient) return provider.instance;
    const expected = `of the default scope, but ${router.name} or what it injects is request-scoped or transient`;
    throw new InvalidJobsOptionsError('router', `a class ${expected}: there is one router for all jobs`, router);
  }

  private async create(router: Type<TaskRouter>): Promise<unknown> {
    try {
      return await this.moduleRef.create(router);
    } catch (error) {
      const [problem] = (error as Error).message.split('\n');
      const expected = `a class that some module of the app has among its providers; without, Nest says: ${problem}`;
      throw new InvalidJobsOptionsError('router', expected, router);
    }
  }
}

/** It would go to where no router says, and nobody would notice. */
function notMadeYet(task: string): Error {
  return new InvalidEnqueueOptionsError(
    `nestjs-jobs: a job of the task "${task}" must be enqueued after the module's router was made, but the app has not ` +
      'come so far. Enqueue in onModuleInit or later, and not in a constructor or in the factory of a provider.',
  );
}
