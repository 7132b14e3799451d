import { Injectable } from '@nestjs/common';
import { BriefMap } from './brief-map.js';
import type { JobContext } from './job-context.js';

/** Of the attempts that ended: what blocked the event loop is among the last. */
const REMEMBERED = 16;

/** The attempts that this process runs at the moment, by job id. @internal */
@Injectable()
export class RunningJobs {
  private readonly contexts = new BriefMap<JobContext>();
  private readonly leftRunning = new Set<JobContext>();
  private readonly lastEnded = Array.from<JobContext | undefined>({ length: REMEMBERED });
  private ended = 0;

  get size(): number {
    return this.contexts.size;
  }

  add(context: JobContext): void {
    this.contexts.set(context.id, context);
  }

  delete(context: JobContext): void {
    this.lastEnded[this.ended++ % REMEMBERED] = context;
    this.contexts.delete(context.id, context);
  }

  get(id: string): JobContext | undefined {
    return this.contexts.get(id);
  }

  all(): JobContext[] {
    return this.contexts.values();
  }

  /** Some of the attempts that ended since {@link RunningJobs.forgetEnded}, the last ones. */
  justEnded(): JobContext[] {
    return this.lastEnded.filter((context) => context !== undefined);
  }

  forgetEnded(): void {
    if (this.ended > 0) this.lastEnded.fill(undefined);
    this.ended = 0;
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
