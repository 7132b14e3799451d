import { assertTaskRef } from '../client/enqueue-entries.js';
import { asEnqueueError } from '../client/enqueue-options.js';
import { requireText } from '../client/invalid-argument.error.js';
import type { Duration } from '../options/jobs-options.js';
import type { TaskRef } from '../task/task-reference.js';
import type { ScheduleTimes } from './next-times.js';
import type { ScheduleDeclarations } from './schedule-declarations.js';
import { asSchedule, POLICY_KEYS, readPolicies, timingOf, type SchedulePolicies } from './schedule-options.js';
import type { FireTemplate, ScheduleSpec } from './schedule-record.js';
import { InvalidScheduleError } from './schedule.errors.js';

/** What is common to {@link NewSchedule} and {@link ScheduleChange}. @publicApi */
export interface ScheduleSettings extends SchedulePolicies, ScheduleTimes {
  /** Whose it is, for {@link Schedules.list}: 1 to 200 characters, of which the first is no `#`. @default nobody's */
  readonly owner?: string;
  /** For people; at most 500 characters. @default none */
  readonly description?: string;
  /** Of each job, as in `enqueue`. */
  readonly queue?: string;
  readonly priority?: number;
  readonly expiresIn?: Duration | false;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
  readonly keepResult?: boolean;
}

/** What {@link Schedules.create} takes. @publicApi */
export type NewSchedule<Payload = unknown> = ScheduleSettings & {
  /** In the whole fleet: 1 to 100 letters, digits, dots, dashes and underscores. */
  readonly name: string;
  readonly task: TaskRef<Payload, unknown>;
} & (undefined extends Payload ? { readonly payload?: Payload } : { readonly payload: Payload });

/** Of a schedule, what {@link Schedules.update} can take away. */
type Removable = 'owner' | 'description' | 'startAt' | 'endAt' | 'maxRuns';

/** What {@link Schedules.update} takes: what is left out, or undefined, stays; null takes a setting away. @publicApi */
export interface ScheduleChange<Payload = unknown> extends Omit<ScheduleSettings, Removable> {
  readonly owner?: string | null;
  readonly description?: string | null;
  readonly startAt?: Date | string | null;
  readonly endAt?: Date | string | null;
  readonly maxRuns?: number | null;
  /** With another task, its jobs have the queue, priority, expiry and `keepResult` of that, unless they are given here. */
  readonly task?: TaskRef<Payload, unknown>;
  readonly payload?: Payload;
}

const JOB_KEYS = ['queue', 'priority', 'expiresIn', 'headers', 'tags', 'keepResult'] as const;
const REMOVABLE: readonly string[] = ['owner', 'description', 'startAt', 'endAt', 'maxRuns'] satisfies Removable[];
/** Of a {@link ScheduleChange}. @internal */
export const CHANGE_KEYS: readonly string[] = [
  ...POLICY_KEYS,
  ...JOB_KEYS,
  'task',
  'payload',
  'cron',
  'every',
  'timeZone',
  'utcOffset',
  'owner',
  'description',
];
/** Of a {@link NewSchedule}. @internal */
export const SCHEDULE_KEYS: readonly string[] = ['name', ...CHANGE_KEYS];
const LONGEST_OWNER = 200;
/** Of a description, or a reason. @internal */
export const LONGEST_DESCRIPTION = 500;

/** What is stored of a schedule, made of its settings. @throws {@link InvalidScheduleError} @internal */
export async function specOf(
  declarations: ScheduleDeclarations,
  schedule: Omit<NewSchedule, 'name'>,
  place: string,
  template?: FireTemplate,
): Promise<ScheduleSpec> {
  const { owner, description, payload, task } = schedule;
  const timing = timingOf(schedule, place);
  asEnqueueError(() => assertTaskRef(task as TaskRef, 'task'));
  const given = Object.fromEntries(
    JOB_KEYS.flatMap((key) => (schedule[key] === undefined ? [] : [[key, schedule[key]]])),
  );
  return {
    timing,
    template: template ?? (await declarations.template(task as TaskRef, payload, given, place)),
    ...readPolicies(schedule, place),
    ...(owner !== undefined && { owner: requireOwner(owner) }),
    ...(description !== undefined && {
      description: requireText('the description', description, LONGEST_DESCRIPTION),
    }),
  };
}

/** @throws {@link InvalidScheduleError} @internal */
export function requireOwner(owner: string): string {
  const text = asSchedule('the owner of a schedule', () => requireText('the owner', owner, LONGEST_OWNER));
  if (!text.startsWith('#')) return text;
  throw new InvalidScheduleError('the owner of a schedule', 'must not begin with "#".');
}

/** What is stored of a schedule that is changed. @throws {@link InvalidScheduleError} @internal */
export async function changedSpec(
  declarations: ScheduleDeclarations,
  spec: ScheduleSpec,
  change: ScheduleChange,
  place: string,
): Promise<ScheduleSpec> {
  const { task: before, ...settings } = changedSettings(spec, change);
  // What was decided once is not decided again: this process need not have the queue, and the schema may be another one.
  const ofJobs = [...JOB_KEYS, 'task', 'payload'] as const;
  const isKept = ofJobs.every((key) => change[key] === undefined);
  const template = isKept ? spec.template : undefined;
  const isToCheck = change.task === undefined && change.payload !== undefined;
  const task = isToCheck ? declarations.withSchema(before as TaskRef) : before;
  return specOf(declarations, { ...settings, task } as NewSchedule, place, template);
}

function changedSettings(spec: ScheduleSpec, change: ScheduleChange): Omit<NewSchedule, 'name'> {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const settings = { ...settingsOf(spec, Object.fromEntries(given)), ...Object.fromEntries(given) };
  const isLeft = ([key, value]: [string, unknown]): boolean => value !== null || !REMOVABLE.includes(key);
  return Object.fromEntries(Object.entries(settings).filter(isLeft)) as unknown as NewSchedule;
}

/** Its settings as they were given, but what the change replaces. */
function settingsOf(spec: ScheduleSpec, change: ScheduleChange): ScheduleChange {
  const { template, timing, overlap, missed, within, jitter, start, end, maxRuns, owner, description } = spec;
  const isRetimed = change.cron !== undefined || change.every !== undefined;
  const isRezoned = change.timeZone !== undefined || change.utcOffset !== undefined;
  const times =
    'every' in timing
      ? { every: timing.every }
      : {
          cron: timing.cron,
          ...(timing.zone !== undefined && !isRezoned && { timeZone: timing.zone }),
          ...(timing.offset !== undefined && !isRezoned && { utcOffset: timing.offset }),
        };
  // The other name of an overlap.
  const { waitForCompletion } = change;
  const isOverlapping = waitForCompletion === true || (waitForCompletion === false && overlap === 'skip');
  const {
    cron: _cron,
    every: _every,
    ...zone
  } = times as { cron?: string; every?: number; timeZone?: string; utcOffset?: number };
  const task = { name: template.task, options: { retry: { attempts: template.attempts } } } as unknown as TaskRef;
  return {
    ...(isRetimed ? (change.cron !== undefined ? zone : {}) : times),
    task: task as NewSchedule['task'],
    payload: template.payload,
    ...(!isOverlapping && { overlap }),
    missed,
    missedWithin: within,
    ...(jitter !== undefined && { jitter }),
    ...(start !== undefined && { startAt: new Date(start) }),
    ...(end !== undefined && { endAt: new Date(end) }),
    ...(maxRuns !== undefined && { maxRuns }),
    ...(owner !== undefined && { owner }),
    ...(description !== undefined && { description }),
    ...(template.headers && { headers: template.headers }),
    ...(template.tags && { tags: template.tags }),
    // Those of another task are its own.
    ...(change.task === undefined && {
      queue: template.queue,
      priority: 10 - template.priority,
      expiresIn: template.expiresIn ?? false,
      keepResult: template.keepResult ?? true,
    }),
  };
}
