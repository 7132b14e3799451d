import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { resolveEntryOptions, type EnqueueEntryOptions } from '../client/enqueue-options.js';
import { JobsClient } from '../client/jobs-client.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { readTask } from '../task/task-metadata.js';
import type { TaskRef } from '../task/task-reference.js';
import { TaskRegistry } from '../task/task.registry.js';
import {
  asSchedule,
  assertScheduleKeys,
  cronTiming,
  everyTiming,
  POLICY_KEYS,
  readPolicies,
  requireScheduleName,
} from './schedule-options.js';
import { schedulesOf, type DeclaredSchedule } from './schedule.decorators.js';
import { InvalidScheduleError } from './schedule.errors.js';
import type { FireTemplate, ScheduleSpec } from './schedule-record.js';

/** A schedule that the code has. @internal */
export interface CodeSchedule {
  readonly name: string;
  readonly spec: ScheduleSpec;
}

/** One that no decorator of ours declares. @internal */
export interface AdoptedSchedule {
  readonly name: string;
  readonly place: string;
  readonly task: TaskRef;
  readonly spec: Omit<ScheduleSpec, 'template'>;
}

const COMMON = [...POLICY_KEYS, 'name', 'payload', 'disabled', 'tags'];
const KEYS = { '@Cron': [...COMMON, 'timeZone', 'utcOffset'], '@Every': COMMON };

/** Makes what the decorators of this process's tasks say into schedules. It stores nothing. @internal */
@Injectable()
export class ScheduleDeclarations {
  private found: readonly CodeSchedule[] = [];

  constructor(
    private readonly registry: TaskRegistry,
    private readonly client: JobsClient,
  ) {}

  /** Those that {@link ScheduleDeclarations.read} has found. */
  all(): readonly CodeSchedule[] {
    return this.found;
  }

  /** @throws {@link InvalidScheduleError} */
  async read(adopted: readonly AdoptedSchedule[] = []): Promise<void> {
    this.found = await this.find(adopted);
  }

  private async find(adopted: readonly AdoptedSchedule[]): Promise<CodeSchedule[]> {
    const places = new Map<string, string>();
    const takeName = (name: string, place: string): void => {
      requireScheduleName(name, place);
      const other = places.get(name);
      if (other !== undefined) {
        throw new InvalidScheduleError(
          place,
          `has the name "${name}", and so has ${other}. Give one of them another: { name: '...' }.`,
        );
      }
      places.set(name, place);
    };
    const all: CodeSchedule[] = [];
    for (const task of this.registry.all()) {
      const handler = (task.prototype as Record<string, object>)[task.method]!;
      for (const declared of schedulesOf(handler)) {
        const place = `${declared.decorator} of ${task.place}`;
        const { name = task.name, disabled } = this.optionsOf(declared, place, task);
        takeName(name, place);
        const spec = await this.specOf(task, declared, place);
        if (!disabled) all.push({ name, spec });
      }
    }
    for (const { name, place, task, spec } of adopted) {
      takeName(name, place);
      all.push({ name, spec: { ...spec, template: await this.template(task, undefined, {}, place) } });
    }
    return all;
  }

  private optionsOf(
    declared: DeclaredSchedule,
    place: string,
    { failures }: TaskDefinition,
  ): DeclaredSchedule['options'] {
    if (failures) {
      throw new InvalidScheduleError(
        place,
        'stands on a handler of failures, which only failures give jobs. Move it to another method.',
      );
    }
    const { options } = declared;
    assertScheduleKeys(options, KEYS[declared.decorator], place);
    if (options.disabled !== undefined && typeof options.disabled !== 'boolean') {
      throw new InvalidScheduleError(place, 'must have true or false as "disabled".');
    }
    return options;
  }

  private async specOf(task: TaskDefinition, declared: DeclaredSchedule, place: string): Promise<ScheduleSpec> {
    const { options } = declared;
    const timing =
      declared.decorator === '@Cron'
        ? cronTiming(declared.expression, declared.options, place)
        : everyTiming(declared.interval, place);
    const ref: TaskRef = { name: task.name, options: readTask(task.prototype, task.method)!.enqueued };
    const { tags } = options;
    const template = await this.template(ref, options.payload, { ...(tags && { tags }) }, place);
    return { timing, template, ...readPolicies(options, place) };
  }

  /** With what its payload is checked by, where this process has its code. */
  withSchema({ name, options }: TaskRef): TaskRef {
    const schema = this.registry.find(name)?.input;
    return schema ? ({ name, options: { ...options, schema } } as TaskRef) : ({ name, options } as TaskRef);
  }

  /** Of a job that is sent by hand. @throws {@link InvalidScheduleError} */
  async checkPayload({ task, attempts }: FireTemplate, payload: unknown, place: string): Promise<void> {
    await this.template(
      this.withSchema({ name: task, options: { retry: { attempts } } } as TaskRef),
      payload,
      {},
      place,
    );
  }

  /** What each job of a schedule has, decided now: whoever sends it may not know the task. */
  async template(ref: TaskRef, payload: unknown, given: EnqueueEntryOptions, place: string): Promise<FireTemplate> {
    try {
      const options = resolveEntryOptions(given, Date.now(), '');
      // Nothing is inherited of a job in which it is made: it outlives that.
      const call = { ref, payload, options, given, headers: options.headers, rootId: undefined, entry: undefined };
      const { data, opts, queue, name } = await this.client.prepare(call);
      const { p, h, t, k, x } = data;
      return {
        task: name,
        queue,
        ...(p !== undefined && { payload: p }),
        ...(h && { headers: h }),
        ...(t && t.length > 0 && { tags: t }),
        priority: opts.priority!,
        attempts: opts.attempts!,
        ...(x !== undefined && { expiresIn: x - options.calledAt }),
        ...(k === 0 && { keepResult: false as const }),
      };
    } catch (error) {
      return asSchedule(place, () => {
        throw error;
      });
    }
  }
}

/** Whether two schedules are the same. @internal */
export function isSameSpec(a: ScheduleSpec, b: ScheduleSpec): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
}
