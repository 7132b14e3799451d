import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { prototypeOf } from '../task/provider-instance.js';
import type { ProviderWrapper } from '../task/task-definition.js';
import { readTask } from '../task/task-metadata.js';
import { EventListener } from './event-listener.js';
import { InvalidEventListenerError } from './event-listener.error.js';
import { listenerRulesOf, type ListenerRule } from './listener-metadata.js';

/** Finds the methods with `@OnJobEvent` among an app's providers. It returns data and starts nothing. @internal */
@Injectable()
export class ListenerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  explore(): EventListener[] {
    for (const controller of this.discovery.getControllers()) this.refuseOnController(controller);
    return this.discovery.getProviders().flatMap((provider) => (provider.isAlias ? [] : this.listenersOf(provider)));
  }

  private listenersOf(provider: ProviderWrapper): EventListener[] {
    const prototype = prototypeOf(provider);
    if (!prototype) return [];
    return this.rulesOn(prototype).flatMap(([method, rules]) => {
      const place = `${prototype.constructor.name}.${method} in ${provider.host?.name ?? 'an unknown module'}`;
      if (readTask(prototype, method)) {
        throw new InvalidEventListenerError(
          place,
          'has @OnJobEvent and is a task, which takes a payload',
          'Put @OnJobEvent on a method of its own, and call the other one from it',
        );
      }
      return rules.map((rule) => new EventListener({ provider, method, place }, rule));
    });
  }

  private refuseOnController(controller: ProviderWrapper): void {
    const prototype = prototypeOf(controller);
    const found = prototype && this.rulesOn(prototype)[0];
    if (!found) return;
    throw new InvalidEventListenerError(
      `${prototype.constructor.name}.${found[0]}`,
      'has @OnJobEvent on a controller',
      'Move the method to a provider',
    );
  }

  private rulesOn(prototype: object): (readonly [method: string, rules: readonly ListenerRule[]])[] {
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const handler: unknown = (prototype as Record<string, unknown>)[method];
      const rules = typeof handler === 'function' ? listenerRulesOf(handler) : [];
      return rules.length > 0 ? [[method, rules] as const] : [];
    });
  }
}
