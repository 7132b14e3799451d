export { JobsModule } from './jobs.module.js';
export type {
  ByteSize,
  Duration,
  JobsConnection,
  JobsModuleOptions,
  QueueOptions,
  TaskDefaultsOptions,
  TaskRoute,
  WorkersOption,
} from './options/jobs-options.js';
export type { PostgresPool, PostgresPoolOptions } from './options/postgres-options.js';
export { InvalidJobsOptionsError, UnknownJobsOptionError } from './options/jobs-options.error.js';
export { DuplicateJobsModuleError } from './options/one-jobs-module.js';
export type { RetryPolicy } from './retry/retry-policy.js';
export type { ErrorMatch } from './retry/error-match.js';
export type { TimeLimit } from './execution/time-limit.js';

export { Task, type TaskMethodDecorator } from './task/task.decorator.js';
export { TaskDefaults } from './task/task-defaults.decorator.js';
export type { ContractTaskOptions, SharedTaskOptions, TaskOptions } from './task/task-options.js';
export { taskContract, type ContractSchemas, type TaskContract } from './task/task-contract.js';
export type { Jsonify, JsonSafe, NotJson } from './task/json-types.js';
export type { InputOf, OutputOf, StandardIssue, StandardResult, StandardSchemaV1 } from './task/standard-schema.js';
export { PayloadInvalidError, ResultInvalidError, type SchemaIssue } from './task/schema.errors.js';
export { Payload } from './task/payload.decorator.js';
export { task, type PayloadOf, type ResultOf, type TaskHost, type TaskRef } from './task/task-ref.js';
export { DuplicateTaskError, InvalidTaskError, NotATaskError } from './task/task.errors.js';

export { JobsService } from './client/jobs.service.js';
export { JobHandle } from './client/job-handle.js';
export type { EnqueueArguments } from './client/jobs-client.js';
export { Priority, type EnqueueEntryOptions, type EnqueueOptions } from './client/enqueue-options.js';
export type { EnqueueTransaction } from './client/enqueue-transaction.js';
export type { DebounceOptions, ThrottleOptions, UniqueOptions } from './client/unique-options.js';
export type { RoutedOptions, TaskPlacement, TaskRouter } from './client/task-router.js';
export type { EnqueueEntries, EnqueueEntry, EnqueuedJobs } from './client/enqueue-entries.js';
export { EnqueueManyError, type EnqueueFailure } from './client/enqueue-many.error.js';
export type { JobAttempt, JobErrorInfo, JobState, JobStatus } from './client/job-status.js';
export {
  DuplicateJobError,
  InvalidEnqueueOptionsError,
  InvalidRouteError,
  JobCancelledError,
  JobFailedError,
  JobNotFoundError,
  JobsClosedError,
  PayloadNotSerializableError,
  PayloadTooLargeError,
  ResultTimeoutError,
} from './client/client.errors.js';
export type { JobTree } from './client/job-tree.js';
export type { JobListOptions, JobListPage } from './client/job-list-options.js';
export type { CancelReport } from './client/job-canceller.js';
export { BackgroundWorkRefusedError } from './client/background-work.error.js';

export { InvalidArgumentError } from './client/invalid-argument.error.js';
export { JobContext } from './execution/job-context.js';
export { isJobsContext, JOBS_CONTEXT_TYPE } from './execution/execution-context.js';
export {
  RetryLater,
  Skip,
  Snooze,
  type AdaptivePolling,
  type RetryLaterOptions,
} from './execution/control-exceptions.js';
export {
  AttemptEndedError,
  BlockingResultError,
  ClaimLostError,
  HardTimeLimitError,
  JobsShutdownError,
  JobStalledError,
  NonRetryableError,
  ResultNotSerializableError,
  ResultTooLargeError,
  SoftTimeLimitError,
  UnknownTaskError,
} from './execution/execution.errors.js';

export {
  OnFailure,
  type FailingTask,
  type HandledError,
  type OnFailureFilter,
  type OnFailureOptions,
  type PayloadOfTasks,
} from './failure/on-failure.decorator.js';
export { OnJobEvent, type JobEventDecorator, type OnJobEventOptions } from './events/on-job-event.decorator.js';
export type { JobEvent, JobEventMap, JobEventName } from './events/job-event.js';
export type { JobEventScope } from './events/listener-metadata.js';
export { InvalidEventListenerError } from './events/event-listener.error.js';
export type { JobFailure } from './failure/job-failure.js';
export { DeadLetters, type DeadLetterPage } from './dead-letters/dead-letters.js';
export type { DeadLetter } from './dead-letters/dead-letter.js';
export type { DeadLetterFilter, DeadLetterListOptions } from './dead-letters/dead-letter-filter.js';
export type { RedriveRefusal, RedriveReport } from './dead-letters/redrive-report.js';
export {
  DeadLetterNotFoundError,
  InvalidDeadLetterFilterError,
  NotRedrivableError,
} from './dead-letters/dead-letter.errors.js';

export { JobsRunner } from './worker/jobs.runner.js';
export type { Consumption } from './worker/consumption.js';
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
export { Signature } from './canvas/signature.js';
export type { SignableTask, Signing } from './canvas/task-signing.js';
export type { SignatureOptions } from './canvas/signature-options.js';
export { chain, chord, group, type GroupOptions } from './canvas/canvas.js';
export { chunks, map, starmap } from './canvas/map.js';
export type { GroupSignature, Settled } from './canvas/canvas-types.js';
export type { CanvasJson } from './canvas/canvas-json.js';
export type { CanvasFailure } from './canvas/canvas-failure.js';
export { CanvasHandle, type CanvasStatus } from './canvas/canvas-handle.js';
export type { CanvasCounts } from './canvas/canvas-reader.js';
export type { StartOptions } from './canvas/canvas-starter.js';
export {
  AbandonedCanvasError,
  CanvasPayloadError,
  CanvasTooLargeError,
  InvalidCanvasError,
} from './canvas/canvas.errors.js';
export { JobLocks } from './locking/job-locks.js';
export { HeldLock } from './locking/held-lock.js';
export { LockBusyError, LockLostError } from './locking/lock.errors.js';
export type { LockOptions } from './locking/lock-options.js';
export { Locked } from './locking/locked.decorator.js';
export { LockInterceptor } from './locking/lock.interceptor.js';
export type { LockedOptions, OnBusy } from './locking/lock-options.js';
export { Idempotent } from './idempotency/idempotent.decorator.js';
export { IdempotencyInterceptor } from './idempotency/idempotency.interceptor.js';
export type { IdempotentOptions } from './idempotency/idempotent-options.js';
export {
  IdempotencyBusyError,
  IdempotencyClaimLostError,
  IdempotencyMismatchError,
} from './idempotency/idempotency.errors.js';
export { InvalidKeyError, type CallSource, type KeyOf } from './execution/policy-key.js';
export type { PolicyDecorator } from './task/method-policies.js';
export { RateLimits, type RateLimitState } from './limits/rate-limits.js';
export { RateLimited } from './limits/rate-limited.decorator.js';
export { RateLimitInterceptor } from './limits/rate-limit.interceptor.js';
export type { RateLimitedOptions } from './limits/rate-limited-options.js';
export { RateLimitedError } from './limits/limit.errors.js';
export type { ConsumeOptions } from './limits/limit-options.js';
export type { RateLimitRule } from './limits/limit-rule.js';
export type { LimitAlgorithm } from './backend/limits.js';

export {
  Cron,
  Every,
  type CronOptions,
  type DeclaredScheduleOptions,
  type EveryOptions,
} from './schedule/schedule.decorators.js';
export type { MissedPolicy } from './schedule/due-fires.js';
export { nextTimes, type NextTimesOptions, type ScheduleTimes } from './schedule/next-times.js';
export type { ScheduleInfo, ScheduleRun } from './schedule/schedule-info.js';
export type { CronZone, SchedulePolicies } from './schedule/schedule-options.js';
export type { OverlapPolicy } from './schedule/schedule-record.js';
export { InvalidScheduleError, ScheduleExistsError, ScheduleNotFoundError } from './schedule/schedule.errors.js';
export type { NewSchedule, ScheduleChange, ScheduleSettings } from './schedule/schedule-settings.js';
export { Schedules, type ScheduleFilter } from './schedule/schedules.js';
export type { JobSchedule } from './execution/job-facts.js';

export type { AwaitedJob, JobExplanation, JobReason, LockHolder } from './fleet/job-explanation.js';
export { Fleet } from './fleet/fleet.js';
export type {
  ActiveJob,
  ConcurrencyOptions,
  FleetJobsOptions,
  FleetProcess,
  FleetStats,
  PauseProcessOptions,
  PingOptions,
  Pong,
  ProcessOptions,
  ProcessQueue,
  RegisteredTask,
  ScheduledJob,
} from './fleet/fleet-types.js';
export { ProcessNotAnsweringError, ProcessNotFoundError, ProcessRefusedError } from './fleet/fleet.errors.js';

export { JobResults } from './results/job-results.js';
export type { ResultReference } from './results/result-reference.js';
export { ResultStream } from './results/result-stream.js';
export { withContentType } from './results/content-type.js';
export { InvalidResultKeyError } from './results/invalid-result-key.error.js';
export { ResultGoneError, ResultStoreError } from './results/result.errors.js';
export type { ByteRange, FoundResult, ResultStore, WrittenResult } from './results/result-store.js';
export type { S3ResultsOptions } from './results/s3-results-options.js';
