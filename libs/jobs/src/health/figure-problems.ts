import ms from 'ms';
import type { Figures, QueueFigures } from '../census/figures.js';
import type { ResolvedHealthOptions, ResolvedThresholds, Threshold } from './jobs-health.options.js';
import type { JobsHealthProblem } from './jobs-health.problem.js';

type Reached = Required<Pick<JobsHealthProblem, 'status' | 'value' | 'threshold'>>;

/** What is too much of what was counted, and which queues nobody works. @internal */
export function problemsOfFigures(
  { at, queues }: Figures,
  served: ReadonlySet<string>,
  thresholdsOf: ResolvedHealthOptions['thresholdsOf'],
): JobsHealthProblem[] {
  return queues.flatMap((figures) => {
    const { queue } = figures;
    const isServed = served.has(queue);
    const thresholds = thresholdsOf(queue);
    return [
      isServed ? undefined : unserved(figures),
      backlog(figures, thresholds, isServed),
      oldest(figures, thresholds, isServed, at),
      deadLetters(figures, thresholds),
    ].filter((problem) => problem !== undefined);
  });
}

/** @internal */
export function reached(value: number, { degraded = Infinity, down = Infinity }: Threshold): Reached | undefined {
  if (value >= down) return { status: 'down', value, threshold: down };
  return value >= degraded ? { status: 'degraded', value, threshold: degraded } : undefined;
}

function unserved({ queue, waiting, oldestWaitingSince }: QueueFigures): JobsHealthProblem | undefined {
  if (waiting === 0) return undefined;
  const since = timeOf(oldestWaitingSince);
  return {
    kind: 'unserved-queue',
    status: 'degraded',
    message:
      `queue "${queue}": ${jobsWait(waiting)}${since ? `, the oldest since ${since}` : ''}, and no live process works it. ` +
      "Start one whose 'workers' option includes it.",
    queue,
    value: waiting,
    ...(since && { since }),
  };
}

function backlog(
  figures: QueueFigures,
  thresholds: ResolvedThresholds,
  isServed: boolean,
): JobsHealthProblem | undefined {
  const { queue, waiting, oldestWaitingSince } = figures;
  const found = reached(waiting, thresholds.backlog);
  if (!found) return undefined;
  const since = timeOf(oldestWaitingSince);
  return {
    kind: 'backlog',
    ...found,
    message:
      `queue "${queue}": ${jobsWait(waiting)} (${found.status} from ${found.threshold} on)` +
      `${since ? `, the oldest since ${since}` : ''}. ${advice(figures, isServed)}`,
    queue,
    ...(since && { since }),
  };
}

function oldest(
  figures: QueueFigures,
  thresholds: ResolvedThresholds,
  isServed: boolean,
  countedAt: number,
): JobsHealthProblem | undefined {
  const { queue, oldestWaitingSince: since } = figures;
  // Not until now: since it was counted, the job may have begun.
  const found = since === undefined ? undefined : reached(countedAt - since, thresholds.oldest);
  if (!found) return undefined;
  return {
    kind: 'oldest',
    ...found,
    message:
      `queue "${queue}": a job has waited for ${ms(found.value)} (${found.status} from ${ms(found.threshold)} on), ` +
      `since ${timeOf(since)}. ${advice(figures, isServed)}`,
    queue,
    since: timeOf(since)!,
  };
}

function deadLetters(figures: QueueFigures, thresholds: ResolvedThresholds): JobsHealthProblem | undefined {
  const { queue, deadLetters: count } = figures;
  const found = reached(count, thresholds.deadLetters);
  if (!found) return undefined;
  return {
    kind: 'dead-letters',
    ...found,
    message:
      `queue "${queue}": ${count === 1 ? '1 job has' : `${count} jobs have`} failed for good ` +
      `(${found.status} from ${found.threshold} on). Look at them with jobs.deadLetters.list({ queue: '${queue}' }), ` +
      'redrive those that are to be done again, and discard them: those that were redriven count too.',
    queue,
  };
}

function advice({ paused }: QueueFigures, isServed: boolean): string {
  if (paused) return 'The queue is paused: resume it, or nothing of it runs.';
  if (!isServed) return 'No live process works it.';
  return 'Start more workers or raise its concurrency, or see what keeps the running jobs so long.';
}

function jobsWait(count: number): string {
  return count === 1 ? '1 job waits' : `${count} jobs wait`;
}

function timeOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
