import { Registry } from 'prom-client';
import { InvalidJobsOptionsError, UnknownJobsOptionError } from '../options/jobs-options.error.js';
import { JobsMetricsModule } from './jobs-metrics.module.js';
import type { JobsMetricsOptions } from './jobs-metrics.options.js';

describe('JobsMetricsModule.forRoot', () => {
  it.each([
    [{ path: '' }, 'path'],
    [{ path: true }, 'path'],
    [{ guards: 'MetricsGuard' }, 'guards'],
    [{ guards: [{}] }, 'guards'],
    [{ imports: {} }, 'imports'],
    [{ controller: {} }, 'controller'],
    [{ register: {} }, 'register'],
    [{ prefix: 'shop-' }, 'prefix'],
    [{ prefix: '1' }, 'prefix'],
    [{ defaultMetrics: 'yes' }, 'defaultMetrics'],
    [{ fleetGauges: 1 }, 'fleetGauges'],
    [{ buckets: [1, 2] }, 'buckets'],
    [{ buckets: { duration: [] } }, 'buckets.duration'],
    [{ buckets: { duration: [1, 1] } }, 'buckets.duration'],
    [{ buckets: { wait: [0, 1] } }, 'buckets.wait'],
    [{ buckets: { scheduleLag: [1, Infinity] } }, 'buckets.scheduleLag'],
  ])('[M2] refuses %j', (options, path) => {
    const refusal = (): unknown => JobsMetricsModule.forRoot(options as unknown as JobsMetricsOptions);
    expect(refusal).toThrow(InvalidJobsOptionsError);
    expect(refusal).toThrow(expect.objectContaining({ path: `JobsMetricsModule.${path}` }));
  });

  it.each([[{ buckts: {} }], [{ buckets: { lag: [1] } }], [{ authorize: () => true }]])(
    '[M2] knows no option of %j',
    (options) => {
      const refusal = (): unknown => JobsMetricsModule.forRoot(options as unknown as JobsMetricsOptions);
      expect(refusal).toThrow(UnknownJobsOptionError);
    },
  );

  it('[M2] takes what it should', async () => {
    const options = { register: new Registry(), prefix: '', buckets: { wait: [0.5, 1] }, path: false } as const;
    const { providers } = await JobsMetricsModule.forRoot(options);
    expect(providers).toHaveLength(2);
  });
});
