import { Logger } from '@nestjs/common';
import type { HeldJobs } from './held-jobs.js';

/** Says in the log what a shutdown could not wait for. @internal */
export class ShutdownReport {
  private readonly logger = new Logger('Jobs');

  constructor(private readonly grace: number) {}

  /** Nothing that it does counts any more, and what runs on for hours would use up every grace: it is not waited for. */
  leftRunning(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.logger.warn(
      `Code that its hard time limit left running is not waited for and ends with the process: ${ids.join(', ')}`,
    );
  }

  /** @param background - how much background work is not done. */
  interrupted(unfinished: readonly string[], { givenBackIds, lastError }: HeldJobs, background: number): void {
    const lost = unfinished.filter((id) => !givenBackIds.includes(id));
    if (givenBackIds.length > 0) {
      this.logger.warn(
        `Not done ${this.grace} ms after the shutdown began, and given back to run elsewhere: ${givenBackIds.join(', ')}`,
      );
    }
    if (lost.length > 0) {
      const reason = lastError?.message ?? 'no answer';
      this.logger.warn(
        `Could not be given back (${reason}), and runs again when its lease is over: ${lost.join(', ')}`,
      );
    }
    if (background > 0) {
      this.logger.warn(`Background work that is not done and ends with the process: ${background}`);
    }
  }
}
