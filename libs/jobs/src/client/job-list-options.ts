import type { JobPlace, JobSet } from '../backend/job-sets.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { isPlainObject } from '../options/option-reader.js';
import { taskPattern } from '../options/task-pattern.js';
import type { TaskRef } from '../task/task-ref.js';
import { isTag, TAG_RULE } from './headers-and-tags.js';
import { invalidArgument } from './invalid-argument.error.js';
import { queueOfJobId } from './job-id.js';
import type { JobState, JobStatus } from './job-status.js';

/** Which jobs are meant: those that every key fits. @publicApi */
export interface JobListOptions {
  /** A task, or a name in which `*` stands for any characters and `?` for one, as in `'payment.*'`. */
  task?: TaskRef | string;
  /** One state, or several. */
  state?: JobState | readonly JobState[];
  /** One of the job's tags. */
  tag?: string;
  /** A declared queue. */
  queue?: string;
  /** Jobs in the page, from 1 to 100. @default 50 */
  limit?: number;
  /** The `cursor` of the page before. It says where to go on, and not which jobs are meant: give that again. */
  cursor?: string;
}

/** Some jobs. @publicApi */
export interface JobListPage {
  /** As {@link JobHandle.status} has them, without `position`. */
  readonly jobs: JobStatus[];
  /** For the next page; absent on the last one. */
  readonly cursor?: string;
}

/** In which order jobs are looked for: by a tag, or in one set after the other. @internal */
export type JobSource = 'tagged' | JobSet;

/** Where a page ended. @internal */
export interface ListPlace extends JobPlace {
  readonly source: JobSource;
}

/** @internal */
export interface ResolvedJobList {
  readonly queues: readonly string[];
  readonly sources: readonly JobSource[];
  readonly tag: string | undefined;
  readonly limit: number;
  readonly after: ListPlace | undefined;
  /** Whether each job that is looked at fits. */
  readonly isAll: boolean;
  readonly fits: (status: JobStatus) => boolean;
}

/** In the order in which a job goes through them, so that one that goes on meanwhile does not slip past. */
const SETS: readonly JobSet[] = ['waiting-children', 'delayed', 'waiting', 'active', 'completed', 'failed'];

/** Where jobs of a state may be. One that is cancelled before it runs stays where it is until a worker gets to it. */
const SETS_OF: Record<JobState, readonly JobSet[]> = {
  scheduled: ['delayed'],
  // Parked ones too.
  pending: ['delayed', 'waiting'],
  blocked: ['waiting-children'],
  running: ['active'],
  retrying: ['delayed'],
  succeeded: ['completed'],
  failed: ['failed'],
  cancelled: ['waiting-children', 'delayed', 'waiting', 'active', 'failed'],
};

const STATES = Object.keys(SETS_OF) as JobState[];
/** States of which a set has no other jobs than those. */
const ONLY_STATE: Partial<Record<JobSet, JobState>> = { completed: 'succeeded' };
const KEYS = ['task', 'state', 'tag', 'queue', 'limit', 'cursor'];
const DEFAULT_LIMIT = 50;
const MOST_LIMIT = 100;

/** @throws {@link InvalidArgumentError} @internal */
export function readJobList(options: unknown, declared: ReadonlyMap<string, unknown>): ResolvedJobList {
  if (!isPlainObject(options)) {
    throw invalidArgument('the options of list()', "an object like { state: 'failed', limit: 20 }", options);
  }
  const unknownKey = Object.keys(options).find((key) => !KEYS.includes(key));
  if (unknownKey !== undefined) throw invalidArgument('an option of list()', `one of ${KEYS.join(', ')}`, unknownKey);
  const isTask = readTask(options['task']);
  const states = readStates(options['state']);
  const tag = readTag(options['tag']);
  const queue = readQueue(options['queue'], declared);
  const sources: readonly JobSource[] = tag === undefined ? setsOf(states) : ['tagged'];
  return {
    queues: queue === undefined ? namesOf(declared) : [queue],
    sources,
    tag,
    limit: readLimit(options['limit']),
    after: placeOf(options['cursor'], tag !== undefined),
    isAll: !isTask && tag === undefined && sources.every((set) => states?.includes(ONLY_STATE[set as JobSet]!) ?? true),
    fits: (status) =>
      (states?.includes(status.state) ?? true) &&
      (isTask?.(status.task) ?? true) &&
      (tag === undefined || status.tags.includes(tag)),
  };
}

/** @internal */
export function cursorOf({ source, at, id }: ListPlace): string {
  return Buffer.from(JSON.stringify([source, at, id])).toString('base64url');
}

function readTask(task: unknown): ((name: string) => boolean) | undefined {
  if (task === undefined) return undefined;
  const name = isPlainObject(task) ? task['name'] : task;
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument('task', "a task as task(Class, 'method') gives it, or a name like 'mail.*'", task);
  }
  if (isPlainObject(task)) return (other) => other === name;
  const pattern = taskPattern(name);
  return (other) => pattern.test(other);
}

function readStates(state: unknown): readonly JobState[] | undefined {
  if (state === undefined) return undefined;
  const states = (Array.isArray(state) ? state : [state]) as JobState[];
  const wrong = states.find((each) => !STATES.includes(each));
  if (wrong === undefined && states.length > 0) return states;
  throw invalidArgument('state', `one or several of ${STATES.join(', ')}`, states.length > 0 ? wrong : state);
}

function setsOf(states: readonly JobState[] | undefined): readonly JobSet[] {
  const wanted = new Set(states?.flatMap((state) => SETS_OF[state]) ?? SETS);
  return SETS.filter((set) => wanted.has(set));
}

function readTag(tag: unknown): string | undefined {
  if (tag === undefined || isTag(tag)) return tag;
  throw invalidArgument('tag', TAG_RULE, tag);
}

function readQueue(queue: unknown, declared: ReadonlyMap<string, unknown>): string | undefined {
  const names = namesOf(declared);
  if (queue === undefined || names.includes(queue as string)) return queue as string | undefined;
  throw invalidArgument('queue', `a declared queue (${names.join(', ')})`, queue);
}

/** Without the library's own. */
function namesOf(declared: ReadonlyMap<string, unknown>): string[] {
  return [...declared.keys()].filter((name) => name !== INTERNAL_QUEUE);
}

function readLimit(limit: unknown): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (Number.isInteger(limit) && (limit as number) > 0 && (limit as number) <= MOST_LIMIT) return limit as number;
  throw invalidArgument('limit', `a whole number from 1 to ${MOST_LIMIT}`, limit);
}

function placeOf(cursor: unknown, isByTag: boolean): ListPlace | undefined {
  if (cursor === undefined) return undefined;
  const place = typeof cursor === 'string' ? decode(cursor) : undefined;
  if (place && (place.source === 'tagged') === isByTag) return place;
  throw invalidArgument('cursor', 'the cursor of a page before, with the same filter', cursor);
}

function decode(cursor: string): ListPlace | undefined {
  try {
    const [source, at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (source !== 'tagged' && !SETS.includes(source as JobSet)) return undefined;
    if (!Number.isSafeInteger(at) || typeof id !== 'string' || id.includes('\u0000')) return undefined;
    return { source: source as JobSource, at: at as number, id };
  } catch {
    return undefined;
  }
}

/** The jobs' sets that are still to be looked at, and where to begin in the first of them. @internal */
export function sourcesLeft({ sources, after }: ResolvedJobList): { source: JobSource; from: JobPlace | undefined }[] {
  const isOver = (source: JobSource): boolean =>
    after !== undefined && source !== 'tagged' && SETS.indexOf(source) < SETS.indexOf(after.source as JobSet);
  return sources
    .filter((source) => !isOver(source))
    .map((source) => ({ source, from: source === after?.source ? after : undefined }));
}

/** Whether it is a job of ours: whatever was added past this library has an id by which nobody could ask for it. @internal */
export function isOurs({ queue, id }: { queue: string; id: string }): boolean {
  return queueOfJobId(id) === queue;
}
