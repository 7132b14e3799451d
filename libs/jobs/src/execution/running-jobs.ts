import { Injectable } from '@nestjs/common';
import type { JobContext } from './job-context.js';

/** The attempts that this process runs at the moment, by job id. @internal */
@Injectable()
export class RunningJobs {
  private readonly contexts = new Map<string, JobContext>();
  private readonly leftRunning = new Set<JobContext>();

  get size(): number {
    return this.contexts.size;
  }

  add(context: JobContext): void {
    this.contexts.set(context.id, context);
  }

  delete(context: JobContext): void {
    if (this.contexts.get(context.id) === context) this.contexts.delete(context.id);
  }

  get(id: string): JobContext | undefined {
    return this.contexts.get(id);
  }

  all(): JobContext[] {
    return [...this.contexts.values()];
  }

  /** Its hard time limit ended the attempt; its code runs on. */
  left(context: JobContext): void {
    this.leftRunning.add(context);
  }

  /** Its code, which was left running, has ended as well. */
  stopped(context: JobContext): void {
    this.leftRunning.delete(context);
  }

  /** The ids of the jobs that code was left running of and still runs. */
  get leftIds(): string[] {
    return [...new Set(Array.from(this.leftRunning, ({ id }) => id))];
  }
}
