import { Injectable } from '@nestjs/common';
import type { JobStatus } from '../client/job-status.js';

/** Tasks of which it is remembered. */
const MOST_TASKS = 1_000;
/** Of the last job, in the mean of them all. */
const WEIGHT = 0.2;
/** Seconds. */
const LONGEST = 60;

/** How long jobs take, from what clients of this process have read. @internal */
@Injectable()
export class TaskDurations {
  /** Milliseconds from when a job could run until it ended. */
  private readonly means = new Map<string, number>();

  learn({ task, state, createdAt, scheduledFor, finishedAt }: JobStatus): void {
    if (state !== 'succeeded' || finishedAt === undefined) return;
    const took = Math.max(0, Date.parse(finishedAt) - Date.parse(scheduledFor ?? createdAt));
    const mean = this.means.get(task);
    this.means.delete(task);
    this.means.set(task, mean === undefined ? took : mean + (took - mean) * WEIGHT);
    if (this.means.size > MOST_TASKS) this.means.delete(this.means.keys().next().value!);
  }

  /** After how many seconds a client that polls should come again. */
  retryAfter({ task, createdAt, scheduledFor }: JobStatus): number {
    const due = Date.parse(scheduledFor ?? createdAt);
    const end = due + (this.means.get(task) ?? 0);
    return Math.min(LONGEST, Math.max(1, Math.ceil((end - Date.now()) / 1_000)));
  }
}
