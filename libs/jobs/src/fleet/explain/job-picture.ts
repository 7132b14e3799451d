import { isDeepStrictEqual } from 'node:util';
import type { LimitSeen } from '../../backend/limits.js';
import type { LineSeen } from '../../backend/lines.js';
import { saidOfAttempt, type Waits } from '../../client/envelope.js';
import type { FlowMember } from '../../client/flow-members.js';
import type { FoundJob } from '../../client/job-reader.js';
import type { JobStatus } from '../../client/job-status.js';
import type { ServingProcess } from './serving-processes.js';

/** What was seen of a job and of all that may keep it from running, at one moment or nearly so. @internal */
export interface JobPicture extends FoundJob {
  readonly status: JobStatus;
  readonly surroundings: Surroundings;
  /** Milliseconds since the epoch, by the clock of this process: when it was looked at. */
  readonly now: number;
}

/** @internal */
export interface Surroundings {
  /** Of one that is active. */
  readonly claim: ClaimSeen | undefined;
  /** Those that work its queue. */
  readonly serving: readonly ServingProcess[];
  readonly queue: QueueSeen | undefined;
  /** Jobs of its queue before it; undefined for one that does not wait for its turn alone, and for very many. */
  readonly position: number | undefined;
  readonly line: LineSeen | undefined;
  readonly limit: LimitSeen | undefined;
  readonly children: ChildrenSeen | undefined;
}

/** @internal */
export interface ClaimSeen {
  /** The process whose worker has the claim on the job; undefined when it is not known. */
  readonly process: string | undefined;
  /** All live processes tell of their workers, and none has it. */
  readonly isLost: boolean;
}

/** @internal */
export interface QueueSeen {
  readonly isPaused: boolean;
  /** Jobs of it that run in the whole fleet. */
  readonly active: number;
  /** How many may. */
  readonly globalConcurrency: number | undefined;
  /** Milliseconds for which BullMQ's own limit of the queue lets nobody begin. */
  readonly limitedFor: number;
}

/** The jobs that a job waits for. @internal */
export interface ChildrenSeen {
  readonly waiting: number;
  /** Some of those that have not ended, in their order. */
  readonly some: readonly FlowMember[];
}

/** For what a job stepped out of its slot, as long as it has not been fetched since. @internal */
export function parkedFor({ job, state }: FoundJob): Waits | undefined {
  return state === 'delayed' ? saidOfAttempt(job)?.waits : undefined;
}

/** Whether it waits for a free worker in its queue. @internal */
export function waitsForTurn({ state }: FoundJob): boolean {
  return state === 'waiting' || state === 'prioritized' || (state as string) === 'paused';
}

/** Whether nothing has become of a job between two looks at it. @internal */
export function isUnmoved(one: FoundJob, other: FoundJob): boolean {
  return isDeepStrictEqual(placeOf(one), placeOf(other));
}

function placeOf(found: FoundJob): unknown[] {
  const { job, state } = found;
  const { attemptsStarted, attemptsMade, stalledCounter, processedOn, deferredFailure, failedReason, delay } = job;
  const { waits, snoozedUntil } = saidOfAttempt(job) ?? {};
  return [
    state,
    attemptsStarted,
    attemptsMade,
    stalledCounter,
    processedOn,
    deferredFailure,
    failedReason,
    delay,
    waits,
    snoozedUntil,
  ];
}
