import { DelayedError, ErrorCode, UnrecoverableError, WaitingChildrenError, WaitingError } from 'bullmq';
import type { CanvasCallbacks } from '../canvas/canvas-callbacks.js';
import { isReplacement } from '../canvas/canvas-ids.js';
import type { CanvasMembers } from '../canvas/canvas-members.js';
import type { CanvasNodes } from '../canvas/canvas-nodes.js';
import type { PlacedCanvas } from '../canvas/placed-canvas.js';
import { CANCEL_MARK, cancelMark, readCancelMark, readCancelRequest } from '../client/cancel-mark.js';
import {
  attemptNumber,
  saidOfAttempt,
  wasLeftBehind,
  type ProgressRecord,
  type StoredJob,
} from '../client/envelope.js';
import type { JobErrorInfo } from '../client/job-status.js';
import { childFailureMark, isMark, readChildFailure, type ChildFailure } from '../client/child-failure.js';
import { cancellationIn, failedChild, firstFailedChild } from '../client/flow-members.js';
import type { Queues } from '../client/queues.js';
import { readStatus } from '../client/read-status.js';
import { packResult, packSkip } from '../client/stored-result.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import type { AttemptOutcome, CancelledAttempt } from '../execution/attempt-outcome.js';
import type { FailureIntents } from '../failure/failure-intents.js';
import type { Parking } from '../parking/parking.js';
import { describeError, NEVER_RAN, shortened, stackWithAttempt } from '../retry/attempt-record.js';
import type { WithRetryDelay } from '../retry/decided-backoff.js';
import type { HeldJob } from './held-jobs.js';

/** What BullMQ takes for no failure at all, whoever throws it: the message of its `Worker.RateLimitError()`. */
const RATE_LIMIT_MARK = 'bullmq:rateLimitExceeded';

/** Ends the job as failed: BullMQ does not try it again. */
class AttemptFailed extends UnrecoverableError {}

/** Ends the attempt; the next one is due `retryDelay` ms later. */
class AttemptRetrying extends Error implements WithRetryDelay {
  constructor(
    message: string,
    readonly retryDelay: number,
  ) {
    super(message);
  }
}

/** What knows more of the end of an attempt than BullMQ. @internal */
export interface Reporting {
  readonly intents: FailureIntents;
  readonly parking: Parking;
  readonly callbacks: CanvasCallbacks;
  readonly nodes: CanvasNodes;
  readonly members: CanvasMembers;
}

/** Hands an attempt's outcome to BullMQ in the ways it understands: a return value, or what is thrown. @internal */
export function reportOutcome(
  { job, token }: HeldJob,
  outcome: AttemptOutcome,
  tell: Tell,
  { intents, parking, callbacks, nodes, members }: Reporting,
): unknown {
  switch (outcome.kind) {
    case 'succeeded':
      return linked(job, outcome.result, tell, callbacks, () =>
        endWell(job, packResult(outcome.result, outcome.deduplicatedBy), tell, intents),
      );
    case 'skipped':
      return linked(job, null, tell, callbacks, () => endWell(job, packSkip(outcome.reason), tell, intents));
    case 'cancelled':
      throw cancelled(job, outcome);
    case 'snoozed':
      return snooze({ job, token }, outcome, tell);
    case 'released':
      return putBack(job, token, outcome.until, tell);
    case 'parked':
      return parking.park(job, token, outcome, tell);
    case 'replaced':
      return waitForReplacement({ job, token }, outcome.canvas, tell, nodes);
    case 'lost':
      // So BullMQ says nothing of the job either.
      throw new WaitingError();
    case 'failed':
      return fail(job, outcome, tell, { intents, callbacks, members });
    case 'retrying':
      throw recorded(job, { ...outcome, ran: true }, (message) => new AttemptRetrying(message, outcome.delay));
  }
}

/** What was not run is no attempt. */
function cancelled(job: StoredJob, outcome: CancelledAttempt): Error {
  const make = (): Error => new AttemptFailed(cancelMark(outcome.reason));
  if (!('error' in outcome)) return reportWith('', make);
  const { error, leftRunning } = outcome;
  return recorded(job, { error, ran: true, ...(leftRunning && { leftRunning }) }, make);
}

/** Links are stored before the end that they are for. */
function linked<T>(
  job: StoredJob,
  result: unknown,
  tell: Tell,
  callbacks: CanvasCallbacks,
  end: () => T | Promise<T>,
): T | Promise<T> {
  if (job.data.c === undefined) return end();
  const written = callbacks.succeeding(job, result, tell);
  return written ? written.then(end) : end();
}

function endWell<T>(job: StoredJob, result: T, tell: Tell, intents: FailureIntents): T | Promise<T> {
  if (!wasLeftBehind(job) || job.data.f !== undefined) return result;
  return intents.withdraw(job, tell).then(() => result);
}

async function fail(
  job: StoredJob,
  outcome: AttemptOutcome & { readonly kind: 'failed' },
  tell: Tell,
  { intents, callbacks, members }: Pick<Reporting, 'intents' | 'callbacks' | 'members'>,
): Promise<never> {
  const report = recorded(job, outcome, (message) => new AttemptFailed(message));
  if (job.data.c !== undefined) await members.keepPayload(job, tell);
  await intents.write(job, outcome.error, report, tell);
  await callbacks.failing(job, outcome.error, tell);
  throw report;
}

/**
 * Of a job that is not run, because it is marked as cancelled, or failed along with a child: one whose child was cancelled
 * is cancelled too, and one that was cancelled itself stays so whichever child fails.
 *
 * @internal
 */
export async function explainDeferred(
  failure: Error,
  job: StoredJob,
  queues: Queues,
  { intents, parking, callbacks, nodes }: Reporting,
): Promise<Error> {
  await parking.leave(job);
  const own = readCancelMark(failure.message) ?? readCancelRequest(failure.message);
  if (own && job.data.c) await nodes.cancelAdded(job, own.reason);
  if (failure.message.startsWith(CANCEL_MARK)) return failure;
  const child = await (job.data.c
    ? firstFailedChild(job, failure.message, queues)
    : failedChild(failure.message, queues));
  const cancellation = readCancelMark(job.failedReason) ?? cancellationIn(child);
  if (cancellation) return reportWith('', () => new AttemptFailed(cancelMark(cancellation.reason)));
  const tell: Tell = (work) => work();
  if (job.data.c === undefined) {
    await intents.write(job, failure, failure, tell);
    return failure;
  }
  // It failed once, in the part that failed: no handler of failures is told again.
  const along = failedAlong(job, child, failure);
  await callbacks.failingAlong(job, along, tell);
  return reportWith('', () => new AttemptFailed(childFailureMark(along)));
}

function failedAlong(job: StoredJob, child: StoredJob | undefined, failure: Error): ChildFailure {
  if (!child) return { error: describeError(failure), jobId: job.id!, task: job.name, steps: 0 };
  const before = readChildFailure(child.failedReason);
  const { error, jobId, task } = before ?? {
    error: readStatus(child, 'failed').error!,
    jobId: child.id!,
    task: child.name,
  };
  return { error, jobId, task, steps: stepsBetween(job, child, before?.steps ?? 0) };
}

/** How many steps of the chain before this one's the failure is away, of a child that is `steps` away from it itself. */
function stepsBetween(job: StoredJob, child: StoredJob, steps: number): number {
  const { b, g, t = 1 } = job.data.c!;
  if (child.id === b) return steps + 1;
  if (isReplacement(child.id!)) return 0;
  // It has waited for the step before, and stands between.
  const wasToAdd = child.data.c?.n?.k === 'spawn';
  // A piece of a long chain is waited for by a job that stands where its last step does.
  if (g === 1) return wasToAdd ? steps + t - 1 : steps;
  return wasToAdd ? steps : 0;
}

async function waitForReplacement(
  { job, token }: HeldJob,
  canvas: PlacedCanvas,
  tell: Tell,
  nodes: CanvasNodes,
): Promise<never> {
  let waits = false;
  await tell(() => nodes.replace(job, canvas), REFUSED_FOR);
  await tell(async () => {
    try {
      waits = await job.moveToWaitingChildren(token);
    } catch (error) {
      if (!isFailureOfChild(error)) throw error;
    }
  }, REFUSED_FOR);
  // Its children have ended already, or one has failed: it is looked at again at once, and fails along with that.
  if (!waits) return putBack(job, token, Date.now(), tell);
  // It may have been cancelled after all that was looked at, and before it waited.
  await tell(() => nodes.cancelWith(job, { id: job.id!, q: job.queueName })).catch(() => undefined);
  throw new WaitingChildrenError();
}

/** BullMQ refuses to let a job wait for its children when one of them has failed. */
function isFailureOfChild(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === ErrorCode.JobHasFailedChildren;
}

async function snooze(
  { job, token }: HeldJob,
  { until, delay }: AttemptOutcome & { readonly kind: 'snoozed' },
  tell: Tell,
): Promise<never> {
  const { waits: _over, passed: _spent, ...said } = saidOfAttempt(job) ?? {};
  const record: ProgressRecord = {
    ...said,
    attempt: attemptNumber(job),
    snoozedUntil: until,
    ...(delay !== undefined && { snoozedFor: delay }),
  };
  // Before the move: if the process dies in between, the stall is another attempt, to which this does not apply.
  // A refusal would be taken for the failure of the attempt, and be final where there is no other one.
  await tell(() => job.updateProgress(record), REFUSED_FOR);
  return putBack(job, token, until, tell);
}

async function putBack(job: StoredJob, token: string, until: number, tell: Tell): Promise<never> {
  await tell(() => job.moveToDelayed(until, token), REFUSED_FOR);
  throw new DelayedError();
}

function recorded(
  job: StoredJob,
  { error, ran, leftRunning }: { error: unknown; ran: boolean; leftRunning?: boolean },
  make: (message: string) => Error,
): Error {
  const described = describeError(error);
  // BullMQ stores all of it again with each failure, and gives all of it to whoever fetches the job.
  job.stacktrace = shortened(job.stacktrace);
  const stack = stackWithAttempt(error, {
    attempt: ran ? attemptNumber(job) : NEVER_RAN,
    startedAt: new Date(job.processedOn ?? Date.now()).toISOString(),
    endedAt: new Date().toISOString(),
    error: described,
    ...(leftRunning && { leftRunning }),
  });
  return reportWith(stack, () => make(harmless(described)));
}

/** Where the report itself is made interests nobody, and to find that out takes longer than all else here. */
function reportWith(stack: string, make: () => Error): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return Object.assign(make(), { stack });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What a task throws must not be taken for a word of the engine or of ours. The status reads the record. */
function harmless({ name, message }: JobErrorInfo): string {
  const isWord = message === RATE_LIMIT_MARK || isMark(message);
  return isWord ? `${name}: ${message}` : message;
}
