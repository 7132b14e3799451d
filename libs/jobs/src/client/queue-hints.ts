import { Injectable } from '@nestjs/common';
import type { QueueEvents } from 'bullmq';
import { Queues } from './queues.js';

/** After which a job's status may be another one. */
const EVENTS = [
  'active',
  'completed',
  'delayed',
  'failed',
  'progress',
  'removed',
  'stalled',
  'waiting',
  'waiting-children',
] as const;

type Hint = () => void;

/**
 * Says that something seems to have happened to a job. However many listen, a queue has one stream of events in a process,
 * and that has one listener for each event. An event may be lost: whoever needs to know re-reads.
 *
 * @internal
 */
@Injectable()
export class QueueHints {
  private readonly streams = new Map<QueueEvents, Map<string, Set<Hint>>>();

  constructor(private readonly queues: Queues) {}

  /** How many jobs are listened to. */
  get size(): number {
    return [...this.streams.values()].reduce((sum, jobs) => sum + jobs.size, 0);
  }

  /** Answers how to stop. */
  listen(queue: string, id: string, onHint: Hint): () => void {
    const jobs = this.jobsOf(this.queues.eventsOf(queue));
    const hints = jobs.get(id) ?? new Set();
    jobs.set(id, hints.add(onHint));
    return () => {
      hints.delete(onHint);
      if (hints.size === 0 && jobs.get(id) === hints) jobs.delete(id);
    };
  }

  private jobsOf(events: QueueEvents): Map<string, Set<Hint>> {
    const known = this.streams.get(events);
    if (known) return known;
    const jobs = new Map<string, Set<Hint>>();
    this.streams.set(events, jobs);
    const tell = ({ jobId }: { jobId: string }): void => jobs.get(jobId)?.forEach((hint) => hint());
    for (const name of EVENTS) events.on(name, tell);
    return jobs;
  }
}
