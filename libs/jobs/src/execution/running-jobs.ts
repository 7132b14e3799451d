import { Injectable } from '@nestjs/common';
import type { JobContext } from './job-context.js';

/** The attempts that this process runs at the moment, by job id. @internal */
@Injectable()
export class RunningJobs {
  private readonly contexts = new Map<string, JobContext>();

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
}
