import type { AwaitedJob, JobReason, LockHolder } from '../job-explanation.js';

/** Of an error's message: the whole of it is in the reason. */
const LONGEST_ERROR = 300;
const MOST_IDS = 3;

type Words = { readonly [Kind in JobReason['kind']]: (reason: Extract<JobReason, { kind: Kind }>) => string };

/** A line for each kind: what it means, and what can be done. @internal */
export const REASON_WORDS: Words = {
  ended: ({ state, at, reason, error }) =>
    `It ${ENDED[state] ?? state} at ${at}${error ? ` with ${inWords(error)}` : ''}${because(reason)}.` +
    (state === 'failed' ? ' jobs.deadLetters.redrive runs it again, as a new job.' : ''),

  running: ({ attempt, since, process, isLost, cancelRequested }) => {
    const where = process === undefined ? '' : ` in process ${process}`;
    const lost = isLost
      ? ' No live process has it, as far as they tell: when its claim has ended, another process runs the job again.'
      : '';
    const asked = cancelRequested ? ' It has been asked to stop.' : '';
    return `It runs: attempt ${attempt}, since ${since}${where}.${lost}${asked}`;
  },

  cancelled: ({ reason }) =>
    `It was cancelled${because(reason)}, and will not run. The next worker of its queue that gets to it ends it.`,

  expired: ({ at }) =>
    `It was to begin before ${at} (expiresIn), and will not run. The next worker of its queue that gets to it ends it ` +
    'as cancelled. Where that happens often, the queue needs more slots, or the jobs more time.',

  children: ({ waiting, of, first }) => {
    if (waiting === 0) return 'The jobs that it waited for have ended, and it goes on.';
    const named = of.length > 0 ? `: ${listed(of, waiting)}` : '';
    return `It waits for ${count(waiting, 'job', 'jobs')} to end${named}.${firstOf(first)}`;
  },

  scheduled: ({ until }) => `Its time comes at ${until}.`,

  snoozed: ({ until }) => `It has run, and asked with Snooze to run again at ${until}.`,

  retrying: ({ until, attempt, error }) =>
    `Attempt ${attempt} failed${error ? ` with ${inWords(error)}` : ''}. The next one begins at ${until}.`,

  'unserved-queue': ({ queue }) =>
    `No live process works the queue "${queue}". Start one whose option 'workers' includes it and whose 'queues' ` +
    "declares it, or look why none gives a sign of life. If nobody should, the job's " +
    'queue is a mistake: cancel it, and enqueue it elsewhere.',

  'paused-queue': ({ queue }) => `The queue "${queue}" is paused. Resume it: jobs.fleet.resumeQueue('${queue}').`,

  'paused-processes': ({ queue, processes }) =>
    `Each live process that works the queue "${queue}" is paused or drains (${listed(processes, processes.length)}). ` +
    'Resume one with jobs.fleet.resumeProcess, or start another.',

  'unknown-task': ({ task, until, isKnown }) => {
    if (isKnown) {
      return `No worker that looked at it had the code of task "${task}". A live process has it by now: the job is looked at again within seconds.`;
    }
    const fails = until === undefined ? '' : ` Without it the job fails at ${until}.`;
    return (
      `No live process that works its queue has the code of task "${task}". Deploy the code that has it` +
      `${fails === '' ? '' : ' (a job waits for that as long as unknownTaskGrace says)'}, or look whether the task was renamed.${fails}`
    );
  },

  limited: ({ limit, key, until, rate, isChanged, pausedUntil }) => {
    const what = `The limit "${limit}"${key === undefined ? '' : ` for the key "${key}"`}`;
    const told = rate === undefined ? '' : ` (${rate}${isChanged ? ', changed at run time' : ''})`;
    const when = until === undefined ? 'does not let it begin yet' : `lets it begin at ${until}`;
    if (limit.startsWith('bullmq:')) return `BullMQ's own rate limit of its queue ${when}.`;
    const paused = pausedUntil === undefined ? '' : ` It is paused until ${pausedUntil}.`;
    return `${what}${told} ${when}.${paused} jobs.limits.set('${limit}', ...) changes it for what comes after; times that are given stay.`;
  },

  locked: ({ key, holders, held, places, ahead, until }) => {
    const again = until === undefined ? '' : ` At ${until} it looks again at the latest.`;
    if (held + ahead < places) {
      return `It waits for the lock "${key}", which is free: whoever held it did not give it up, so the job is not called.${again}`;
    }
    const line =
      ahead === 0 ? 'It is the next in line' : `${count(ahead, 'waiter stands', 'waiters stand')} before it in line`;
    const by = holders.length === 0 ? 'is kept for those who are called' : `is held by ${heldBy(holders, held)}`;
    return (
      `The lock "${key}" ${by}. ${line}, and it is woken when it is its turn.${again} ` +
      'A holder that is stuck can be cancelled, or its process be restarted.'
    );
  },

  'same-key': ({ key, holder, ahead, until }) => {
    const runs = holder === undefined ? 'A job with the same key' : `Job ${holder}, which has the same key,`;
    const line = ahead === 0 ? '' : ` ${count(ahead, 'other job waits', 'other jobs wait')} before it.`;
    const again = until === undefined ? '' : ` At ${until} it looks again at the latest.`;
    return `${runs} runs (@Idempotent, "${key}"). When that succeeds this one gets its result; else it runs.${line}${again}`;
  },

  concurrency: ({ active, slots, scope, position }) => {
    const before = position === undefined ? '' : ` ${comesAfter(position)}`;
    if (scope === 'global') {
      return `Its queue may run ${count(slots, 'job', 'jobs')} at once in the whole fleet, and runs ${active}.${before} Raise the queue's global concurrency, or wait.`;
    }
    return `The live processes that work its queue have ${count(slots, 'slot', 'slots')} in all, and ${count(active, 'job runs', 'jobs run')}.${before} More processes, or more 'concurrency', take it sooner.`;
  },

  next: ({ position }) =>
    position === undefined || position === 0
      ? 'Nothing is in its way: the next free worker takes it.'
      : `Nothing is in its way: workers have free slots. ${comesAfter(position)}`,
};

/** One reason in words. @internal */
export function wordsOf<Kind extends JobReason['kind']>(reason: Extract<JobReason, { kind: Kind }>): string {
  return (REASON_WORDS[reason.kind as Kind] as (reason: Extract<JobReason, { kind: Kind }>) => string)(reason);
}

const ENDED: Readonly<Partial<Record<string, string>>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'was cancelled',
};

function firstOf(first: AwaitedJob | undefined): string {
  if (!first) return '';
  return ` The first of them to look at is job ${first.id} of task "${first.task}": ${wordsOf(first.reason)}`;
}

function inWords({ name, message }: { name: string; message: string }): string {
  return `${name}: ${message.slice(0, LONGEST_ERROR)}${message.length > LONGEST_ERROR ? '...' : ''}`;
}

function heldBy(holders: readonly LockHolder[], held: number): string {
  const told = holders.slice(0, MOST_IDS).map(({ id, kind, expiresAt }) => {
    return `${kind === 'job' ? 'job' : 'code'} ${id} (until ${expiresAt} at the latest, unless it renews it)`;
  });
  return andMore(told, held);
}

function listed(ids: readonly string[], all: number): string {
  return andMore(ids.slice(0, MOST_IDS), all);
}

function andMore(told: readonly string[], all: number): string {
  const more = all - told.length;
  return `${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function comesAfter(position: number): string {
  return position === 0 ? 'It is the next.' : `${count(position, 'job comes', 'jobs come')} before it.`;
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
