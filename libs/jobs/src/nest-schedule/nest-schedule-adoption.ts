import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { AdoptedSchedule } from '../schedule/schedule-declarations.js';
import { isOnce } from '../schedule/once.js';
import { SCHEDULE_NAME } from '../schedule/schedule-options.js';
import { InvalidScheduleError } from '../schedule/schedule.errors.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { readTask } from '../task/task-metadata.js';
import { TASK_NAME, TASK_NAME_RULE, type TaskOptions } from '../task/task-options.js';
import { TaskSettings } from '../task/task.settings.js';
import { NestScheduleError } from './nest-schedule.error.js';
import { nestSchedulersIn, silenceAfterMount } from './nest-schedulers.js';
import { nestTiming } from './nest-timing.js';
import { isPerProcess } from './per-process.decorator.js';
import { scheduledMethods, type ScheduledMethod } from './scheduled-methods.js';

/** Tasks that are tasks only by it, and all its schedules. @internal */
export interface Adopted {
  readonly tasks: readonly TaskDefinition[];
  readonly schedules: readonly AdoptedSchedule[];
}

/** It tries nothing again and ends nothing. */
const AS_IT_WAS: TaskOptions = { retry: { attempts: 1 }, timeLimit: false };
const SHORTEST_INTERVAL = 1_000;
const DAY = 24 * 3_600_000;

/**
 * Makes tasks and schedules of the methods of @nestjs/schedule, and stops the timers that it sets for them. By the keys of
 * its metadata and the shape of its module: importing the package would make it needed, and could give another copy of it
 * than the app's.
 *
 * @internal
 */
@Injectable()
export class NestScheduleAdoption {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly modules: ModulesContainer,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly settings: TaskSettings,
  ) {}

  /** @throws {@link NestScheduleError}, {@link InvalidScheduleError} */
  adopt(tasks: readonly TaskDefinition[]): Adopted {
    const schedulers = nestSchedulersIn(this.modules);
    if (schedulers.length === 0) {
      throw new NestScheduleError(
        'ScheduleModule.forRoot() of @nestjs/schedule is not imported. Import it, or leave out the option.',
      );
    }
    const methods = scheduledMethods(this.discovery, this.scanner);
    const isMounted = ({ schedule }: ScheduledMethod): boolean =>
      schedulers.some(({ mounts }) => mounts(schedule.kind));
    const adopted = methods.filter((method) => isMounted(method) && this.isAdopted(method));
    for (const scheduler of schedulers) {
      const mounted = methods.filter((method) => method.isMounted && scheduler.mounts(method.schedule.kind));
      silenceAfterMount(scheduler, mounted, new Set(adopted));
    }
    const found = adopted
      // It is the same instance once more.
      .filter(({ provider }) => !provider.isAlias)
      .map((method) => {
        const own = tasks.find((task) => task.provider === method.provider && task.method === method.method);
        return { method, own, task: own ?? this.taskOf(method) };
      });
    return {
      tasks: found.flatMap(({ own, task }) => (own ? [] : task)),
      schedules: found.map(({ method, own, task }) => scheduleOf(method, task, own)),
    };
  }

  private isAdopted({
    schedule,
    provider,
    isController,
    isMounted,
    prototype,
    method,
    handler,
    place,
  }: ScheduledMethod): boolean {
    const isTask = !isController && readTask(prototype, method) !== undefined;
    if (isPerProcess(handler)) {
      if (!isTask) return false;
      throw new InvalidScheduleError(
        place,
        'stands on a task, and @PerProcess() has it run without a job. Remove one of them.',
      );
    }
    if (schedule.kind === 'cron' && schedule.cron.disabled) return false;
    if (schedule.kind === 'interval' && schedule.ms < SHORTEST_INTERVAL && !isTask) {
      if (!provider.isAlias) {
        this.logger.warn(
          `${place} goes on running in every process: its interval of ${schedule.ms} ms is shorter than a second. ` +
            'If that is meant, put @PerProcess() of nestjs-jobs/nest-schedule on it.',
        );
      }
      return false;
    }
    // @nestjs/schedule says itself that it passes over it.
    return isMounted || !isController;
  }

  private taskOf({ provider, prototype, className, method, place }: ScheduledMethod): TaskDefinition {
    const name = nameOf(className, method);
    if (className === '' || !TASK_NAME.test(name)) {
      throw new InvalidScheduleError(
        place,
        `has by its class and method no name that a task can have, which is ${TASK_NAME_RULE}. Rename one of them.`,
      );
    }
    const source = { provider, prototype, method, place, hasContract: false, failures: undefined };
    const resolved = this.settings.resolve(AS_IT_WAS, place, name);
    return Object.freeze({ name, ...resolved, input: undefined, output: undefined, ...source, isAdopted: true });
  }
}

function nameOf(className: string, method: string): string {
  return `nest-schedule.${className}.${method}`;
}

function scheduleOf(
  { schedule, className, method, prototype, place }: ScheduledMethod,
  task: TaskDefinition,
  own?: TaskDefinition,
): AdoptedSchedule {
  const { name } = schedule;
  const times = nestTiming(schedule, place);
  const options = own ? readTask(prototype, method)!.enqueued : AS_IT_WAS;
  return {
    // Those of @nestjs/schedule may be any text, which the id of a job may not.
    name: name !== undefined && SCHEDULE_NAME.test(name) ? name : nameOf(className, method),
    place,
    task: { name: task.name, options },
    spec: {
      ...times,
      overlap: schedule.kind === 'cron' && schedule.cron.waitForCompletion ? 'skip' : 'allow',
      missed: isOnce(times) ? 'run-once' : 'skip',
      within: DAY,
    },
  };
}
