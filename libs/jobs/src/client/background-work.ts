import { setMaxListeners } from 'node:events';
import { Injectable, Logger } from '@nestjs/common';
import { describeError } from '../retry/attempt-record.js';
import { BackgroundWorkRefusedError } from './background-work.error.js';
import { currentJob, runOutsideOfJobs } from './current-job.js';

/** Work of this process that is not stored anywhere, and that a shutdown waits for. @internal */
@Injectable()
export class BackgroundWork {
  private readonly logger = new Logger('Jobs');
  private readonly running = new Set<Promise<void>>();
  private readonly shutdown = new AbortController();
  private isOver = false;

  constructor() {
    // All work of the process has this one signal, and Node would warn of the eleventh that listens.
    setMaxListeners(Number.POSITIVE_INFINITY, this.shutdown.signal);
  }

  get size(): number {
    return this.running.size;
  }

  /**
   * Begins soon, and belongs to no job: the attempt of a task that starts it may have ended long before it.
   *
   * @param work - its signal is aborted when the shutdown does not wait any longer.
   * @throws {@link BackgroundWorkRefusedError}; AttemptEndedError below an attempt that was cut off.
   */
  start(work: (signal: AbortSignal) => unknown): void {
    if (this.isOver) throw new BackgroundWorkRefusedError();
    const job = currentJob();
    job?.assertNotCutOff?.('background');
    const doubt = job?.claimInDoubt?.();
    const done: Promise<void> = runOutsideOfJobs(async () => {
      await doubt;
      if (doubt) job?.assertNotCutOff?.('background');
      await work(this.shutdown.signal);
    })
      .catch((error: unknown) => this.logFailure(error))
      .finally(() => this.running.delete(done));
    this.running.add(done);
  }

  /** Resolves when none is left, also of what is started meanwhile; from that very moment none is begun. */
  async finish(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
    this.isOver = true;
  }

  abort(): void {
    this.shutdown.abort(new Error('nestjs-jobs: this process shuts down and waits for background work no longer.'));
  }

  /** None is begun from now on. */
  refuse(): void {
    this.isOver = true;
  }

  private logFailure(error: unknown): void {
    const { name, message } = describeError(error);
    if (this.shutdown.signal.aborted) this.logger.warn(`Background work was cut short: ${message}`);
    else this.logger.error(`Background work failed. ${name}: ${message}`, stackOf(error));
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
