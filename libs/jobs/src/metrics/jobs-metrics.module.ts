import { Module, type DynamicModule } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { importPeer } from '../backend/import-peer.js';
import { JobsMetrics, METRICS_SETTINGS, type RegisteredSettings } from './jobs-metrics.js';
import { resolveMetricsOptions, type JobsMetricsOptions, type MetricsSettings } from './jobs-metrics.options.js';
import { metricsController } from './metrics.controller.js';
import { RegisterMetrics } from './register-metrics.js';

const PEERS = { client: 'prom-client', module: '@willsoto/nestjs-prometheus' } as const;
const NEEDED_FOR = 'nestjs-jobs/metrics';
/** One of those of prom-client, which may be registered once. */
const A_DEFAULT_METRIC = 'process_cpu_user_seconds_total';

/**
 * Metrics for Prometheus, and the endpoint that serves them: what the workers of this process do, and what the whole
 * fleet has. It needs the packages @willsoto/nestjs-prometheus and prom-client.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { JobsModule } from 'nestjs-jobs';
 * import { JobsMetricsModule } from 'nestjs-jobs/metrics';
 *
 * @Module({ imports: [JobsMetricsModule.forRoot({ prefix: 'shop_' }), JobsModule.forRoot()] })
 * export class AppModule {}
 * ```
 *
 * @publicApi
 */
@Module({})
export class JobsMetricsModule {
  /**
   * To be imported once in an app, in whichever module.
   *
   * @throws {@link InvalidJobsOptionsError}, {@link UnknownJobsOptionError}. At boot {@link MissingPeerError}, and
   * {@link InvalidJobsOptionsError} when the register has other metrics of the same names, or the module is imported twice.
   */
  static forRoot(options: JobsMetricsOptions = {}): Promise<DynamicModule> {
    const made = moduleFor(resolveMetricsOptions(options));
    // Nest waits for it a little later, and reports it.
    made.catch(() => undefined);
    return made;
  }
}

async function moduleFor(settings: MetricsSettings): Promise<DynamicModule> {
  const client = await importPeer(PEERS.client, NEEDED_FOR, () => import('prom-client'));
  const { register = client.register } = settings;
  const registered: RegisteredSettings = { ...settings, register };
  // What it refuses, it refuses before anything is opened.
  RegisterMetrics.in(register, settings.prefix, settings.buckets);
  return {
    module: JobsMetricsModule,
    imports: await endpointFor(settings, register),
    providers: [{ provide: METRICS_SETTINGS, useValue: registered }, JobsMetrics],
  };
}

async function endpointFor(settings: MetricsSettings, register: Registry): Promise<DynamicModule[]> {
  const { path, imports, defaultMetrics } = settings;
  if (path === false) return [];
  const { PrometheusModule } = await importPeer(PEERS.module, NEEDED_FOR, () => import('@willsoto/nestjs-prometheus'));
  const enabled = defaultMetrics && register.getSingleMetric(A_DEFAULT_METRIC) === undefined;
  const endpoint = PrometheusModule.register({
    path,
    controller: metricsController(settings, register),
    defaultMetrics: { enabled, config: { register } },
  });
  return [{ ...endpoint, imports }];
}
