export { accepted, AcceptedJob } from './accepted.js';
export { BackendUnavailableFilter } from './backend-unavailable.filter.js';
export { JobsHttpModule } from './jobs-http.module.js';
export type { JobAction, JobsHttpOptions } from './jobs-http.options.js';
export { acceptedJobSchema } from './openapi.js';
