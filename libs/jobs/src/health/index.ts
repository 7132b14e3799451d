export { JobsHealthIndicator } from './jobs.health.js';
export { JobsHealthModule } from './jobs-health.module.js';
export type { CountThreshold, DurationThreshold, JobsHealthOptions, QueueThresholds } from './jobs-health.options.js';
export type { JobsHealthProblem, JobsHealthProblemKind } from './jobs-health.problem.js';
