import { Injectable } from '@nestjs/common';
import type { JobsWorker } from '../backend/jobs-worker.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { WorkedQueue } from '../fleet/process-record.js';

/** The workers of this process, to be looked at and to be told what to do while they run. @internal */
@Injectable()
export class WorkerControl {
  private workers: ReadonlyMap<string, JobsWorker> = new Map();
  private running: (queue: string) => number = () => 0;

  /** @param running - how many jobs of a queue this process runs. */
  start(workers: ReadonlyMap<string, JobsWorker>, running: (queue: string) => number): void {
    this.workers = workers;
    this.running = running;
  }

  works(queue: string): boolean {
    return this.workers.has(queue);
  }

  queues(): WorkedQueue[] {
    return Array.from(this.workers, ([queue, worker]) => ({
      queue,
      concurrency: worker.concurrency,
      active: this.running(queue),
      paused: worker.isPaused(),
      worker: worker.id,
    }));
  }

  /** Resolves when nothing of it begins any more. @param queue - undefined for all but the library's own. */
  async pause(queue: string | undefined): Promise<void> {
    await Promise.all(this.of(queue).map((worker) => worker.halt()));
  }

  async resume(queue: string | undefined): Promise<void> {
    await Promise.all(this.of(queue).map((worker) => worker.resume()));
  }

  setConcurrency(queue: string, concurrency: number): void {
    this.workers.get(queue)?.changeConcurrency(concurrency);
  }

  /** Of workers that are closing: resolves when nothing begins any more. */
  async endsFetching(): Promise<void> {
    await Promise.all(Array.from(this.workers.values(), (worker) => worker.endsFetching()));
  }

  private of(queue: string | undefined): JobsWorker[] {
    const isMeant = (name: string): boolean => (queue === undefined ? name !== INTERNAL_QUEUE : name === queue);
    return [...this.workers].flatMap(([name, worker]) => (isMeant(name) ? [worker] : []));
  }
}
