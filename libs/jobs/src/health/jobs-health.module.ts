import { Module, type DynamicModule } from '@nestjs/common';
import {
  ConfigurableModuleClass,
  type ASYNC_OPTIONS_TYPE,
  type OPTIONS_TYPE,
} from './jobs-health.module-definition.js';
import { JobsHealthIndicator } from './jobs.health.js';

/**
 * Provides {@link JobsHealthIndicator} to the module that imports it, beside Terminus's own module.
 *
 * Imported as it is, it looks at the backend and at the workers of this process. With {@link JobsHealthModule.forRoot} it
 * looks at queues and schedules of the whole fleet too.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { TerminusModule } from '@nestjs/terminus';
 * import { JobsHealthModule } from 'nestjs-jobs/health';
 *
 * @Module({
 *   imports: [
 *     TerminusModule,
 *     JobsHealthModule.forRoot({
 *       thresholds: {
 *         '*': { backlog: { degraded: 10_000 }, oldest: { degraded: '10m', down: '2h' }, deadLetters: { degraded: 1 } },
 *         bulk: { oldest: { degraded: '6h' } },
 *       },
 *     }),
 *   ],
 * })
 * export class HealthModule {}
 * ```
 *
 * @publicApi
 */
@Module({ providers: [JobsHealthIndicator], exports: [JobsHealthIndicator] })
export class JobsHealthModule extends ConfigurableModuleClass {
  /** @throws {@link InvalidJobsOptionsError}, {@link UnknownJobsOptionError}, at boot. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** As {@link JobsHealthModule.forRoot}, with options that are computed, injected or asked of a class of yours. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }
}
