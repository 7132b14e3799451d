import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { nestDecoratorOf, nestScheduleOf, type NestSchedule } from '../task/nest-schedule-metadata.js';
import type { ProviderWrapper } from '../task/task-definition.js';

/** A method that @nestjs/schedule knows. @internal */
export interface ScheduledMethod {
  readonly schedule: NestSchedule;
  readonly provider: ProviderWrapper;
  readonly isController: boolean;
  readonly prototype: object;
  readonly className: string;
  readonly method: string;
  readonly handler: object;
  /** `@Cron of ClassName.method in ModuleName`, for messages. */
  readonly place: string;
  /** @nestjs/schedule passes over what is made for each request. */
  readonly isMounted: boolean;
}

/** In the order in which @nestjs/schedule finds them, from which the ones without a name are told apart. @internal */
export function scheduledMethods(discovery: DiscoveryService, scanner: MetadataScanner): ScheduledMethod[] {
  const controllers = discovery.getControllers();
  return [...controllers, ...discovery.getProviders()].flatMap((provider, n) => {
    const instance = provider.instance as Record<string, unknown> | null | undefined;
    const prototype = instance && (Object.getPrototypeOf(instance) as object | null);
    if (!prototype) return [];
    return scanner.getAllMethodNames(prototype).flatMap((method) => {
      const handler = instance[method];
      const schedule = nestScheduleOf(handler);
      if (!schedule) return [];
      const className = prototype.constructor.name;
      const place = `${nestDecoratorOf(schedule)} of ${className}.${method} in ${provider.host?.name ?? 'an unknown module'}`;
      const isController = n < controllers.length;
      const isMounted = provider.isDependencyTreeStatic();
      return {
        schedule,
        provider,
        isController,
        prototype,
        className,
        method,
        handler: handler as object,
        place,
        isMounted,
      };
    });
  });
}
