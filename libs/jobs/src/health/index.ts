export { JobsHealthIndicator } from './jobs.health.js';
export { JobsHealthModule } from './jobs-health.module.js';
