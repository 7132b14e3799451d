export { JobsMetricsModule } from './jobs-metrics.module.js';
export type { JobsMetricsBuckets, JobsMetricsOptions } from './jobs-metrics.options.js';
