import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { TaskDefinition, ProviderWrapper } from './task-definition.js';
import { readTask } from './task-metadata.js';
import { TASK_NAME, TASK_NAME_RULE } from './task-options.js';
import { assertParameters } from './task-parameters.js';
import { defaultTaskName } from './task-ref.js';
import { InvalidTaskError } from './task.errors.js';
import { TaskSettings } from './task.settings.js';

/** Finds the tasks among an app's providers. It returns data and starts nothing. @internal */
@Injectable()
export class TaskExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly settings: TaskSettings,
  ) {}

  explore(): TaskDefinition[] {
    for (const controller of this.discovery.getControllers()) this.refuseOnController(controller);
    return this.discovery.getProviders().flatMap((provider) => this.tasksOf(provider));
  }

  private tasksOf(provider: ProviderWrapper): TaskDefinition[] {
    const prototype = prototypeOf(provider);
    if (!prototype || provider.isAlias) return [];
    return this.taskMethods(prototype).map(([method, { run: options, output, hasContract, failures }]) => {
      const className = prototype.constructor.name;
      const place = `${className}.${method} in ${provider.host?.name ?? 'an unknown module'}`;
      if (className === '' && !options.name) {
        throw new InvalidTaskError(
          place,
          'is a task without a name on a class without one',
          "Name it: @Task({ name: '...' })",
        );
      }
      assertParameters(prototype, method, place);
      const name = options.name ?? defaultTaskName(className, method);
      // One that was given is checked with the other options.
      if (options.name === undefined && !TASK_NAME.test(name)) {
        const fix = `Name it, @Task({ name: '...' }), with ${TASK_NAME_RULE}`;
        throw new InvalidTaskError(place, 'has by its class and method no name that a task can have', fix);
      }
      const resolved = this.settings.resolve(options, place, name, failures ? '@OnFailure' : '@Task');
      const source = { provider, prototype, method, place, hasContract, failures };
      return Object.freeze({ name, ...resolved, input: options.schema, output, ...source });
    });
  }

  private refuseOnController(controller: ProviderWrapper): void {
    const prototype = prototypeOf(controller);
    const found = prototype && this.taskMethods(prototype)[0];
    if (!found) return;
    throw new InvalidTaskError(
      `${prototype.constructor.name}.${found[0]}`,
      'is a task on a controller',
      'Move the method to a provider, and enqueue it from the controller',
    );
  }

  private taskMethods(prototype: object) {
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const declared = readTask(prototype, method);
      return declared ? [[method, declared] as const] : [];
    });
  }
}

/** Of the class where there is one: a request-scoped provider has no instance at boot. */
function prototypeOf(provider: ProviderWrapper): object | undefined {
  const instance: unknown = provider.instance;
  if (typeof instance === 'object' && instance !== null)
    return prototypeWithConstructor(Object.getPrototypeOf(instance));
  return prototypeWithConstructor((provider.metatype as { prototype?: unknown } | null)?.prototype);
}

function prototypeWithConstructor(prototype: unknown): object | undefined {
  if (typeof prototype !== 'object' || prototype === null || prototype === Object.prototype) return undefined;
  return typeof prototype.constructor === 'function' ? prototype : undefined;
}
