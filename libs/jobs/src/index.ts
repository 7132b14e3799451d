export { JobsModule } from './jobs.module.js';
export type {
  ByteSize,
  Duration,
  JobsConnection,
  JobsModuleOptions,
  QueueOptions,
  TaskDefaultsOptions,
  WorkersOption,
} from './options/jobs-options.js';
export type { PostgresPool, PostgresPoolOptions } from './options/postgres-options.js';
export { InvalidJobsOptionsError, UnknownJobsOptionError } from './options/jobs-options.error.js';
export type { RetryPolicy } from './retry/retry-policy.js';

export { Task, type TaskOptions } from './task/task.decorator.js';
export { Payload } from './task/payload.decorator.js';
export { task, type PayloadOf, type ResultOf, type TaskHost, type TaskRef } from './task/task-ref.js';
export { DuplicateTaskError, InvalidTaskError, NotATaskError } from './task/task.errors.js';

export { JobsService } from './client/jobs.service.js';
export { JobHandle } from './client/job-handle.js';
export type { EnqueueArguments } from './client/jobs-client.js';
export {
  Priority,
  type EnqueueEntryOptions,
  type EnqueueOptions,
  type EnqueueTransaction,
} from './client/enqueue-options.js';
export type { EnqueueEntries, EnqueueEntry, EnqueuedJobs } from './client/enqueue-entries.js';
export { EnqueueManyError, type EnqueueFailure } from './client/enqueue-many.error.js';
export type { JobAttempt, JobErrorInfo, JobState, JobStatus } from './client/job-status.js';
export {
  InvalidEnqueueOptionsError,
  JobCancelledError,
  JobFailedError,
  JobNotFoundError,
  PayloadNotSerializableError,
  PayloadTooLargeError,
  ResultTimeoutError,
} from './client/client.errors.js';

export { JobContext } from './execution/job-context.js';
export { isJobsContext, JOBS_CONTEXT_TYPE } from './execution/execution-context.js';
export {
  JobStalledError,
  NonRetryableError,
  ResultNotSerializableError,
  UnknownTaskError,
} from './execution/execution.errors.js';

export { JobsRunner, type Consumption } from './worker/jobs.runner.js';
export {
  BackendUnavailableError,
  MigrationsMissingError,
  MissingPeerError,
  ShadowedTableError,
  TransactionDatabaseError,
  TransactionNotSupportedError,
} from './backend/backend.errors.js';
export type { SqlTransaction } from './backend/sql-transaction.js';
export { DataDirectoryLockedError } from './backend/embedded/data-directory-locked.error.js';
export { EmbeddedBackendStoppedError } from './backend/embedded/embedded-backend-stopped.error.js';
export { EmbeddedBackendUnavailableError } from './backend/embedded/embedded-backend-unavailable.error.js';
