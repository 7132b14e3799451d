import { Controller, Get, Res, SetMetadata, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { MetricsSettings } from './jobs-metrics.options.js';

/** What @nestjs/swagger reads: nobody calls it but Prometheus. */
const EXCLUDED = 'swagger/apiExcludeController';

/** As Express has it, and Fastify. */
interface Reply {
  header(name: string, value: string): unknown;
}

/**
 * A class of each app's own: its path and its guards are on the class, and the one of @willsoto/nestjs-prometheus serves
 * no register but the global one.
 *
 * @internal
 */
export function metricsController(
  { controller, guards }: Pick<MetricsSettings, 'controller' | 'guards'>,
  register: Registry,
): Type {
  if (controller) {
    const Own = class extends (controller as new (...args: unknown[]) => object) {};
    if (guards.length > 0) UseGuards(...guards)(Own);
    return Own;
  }

  @SetMetadata(EXCLUDED, [true])
  @Controller({ version: VERSION_NEUTRAL })
  class MetricsController {
    @Get()
    async read(@Res({ passthrough: true }) reply: Reply): Promise<string> {
      reply.header('Content-Type', register.contentType);
      return register.metrics();
    }
  }
  if (guards.length > 0) UseGuards(...guards)(MetricsController);
  return MetricsController;
}
