/** What can be wrong. @publicApi */
export type JobsHealthProblemKind =
  /** This process shuts down. */
  | 'draining'
  /** The backend does not answer. */
  | 'backend'
  /** A worker of this process gets no jobs. */
  | 'not-consuming'
  /** Too many jobs wait in a queue. */
  | 'backlog'
  /** A job has waited too long. */
  | 'oldest'
  /** Too many jobs failed for good. */
  | 'dead-letters'
  /** A schedule has not fired although its time has come. */
  | 'schedule-lag'
  /** No live process runs what a schedule sends. */
  | 'unserved-schedule'
  /** Jobs wait in a queue that no live process works. */
  | 'unserved-queue';

/** One thing that is wrong, for scripts. @publicApi */
export interface JobsHealthProblem {
  kind: JobsHealthProblemKind;
  /** How bad it is. */
  status: 'degraded' | 'down';
  /** For people: what is wrong, where, since when, and what to do. */
  message: string;
  queue?: string;
  task?: string;
  schedule?: string;
  /** What was found: jobs, or milliseconds. */
  value?: number;
  /** From which value on it is a problem. */
  threshold?: number;
  /** Since when it is so, or since when that has waited which has waited longest: ISO-8601 in UTC. */
  since?: string;
}
