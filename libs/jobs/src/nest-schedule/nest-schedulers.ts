import type { ModulesContainer } from '@nestjs/core';
import type { NestSchedule } from '../task/nest-schedule-metadata.js';
import { NestScheduleError } from './nest-schedule.error.js';
import type { ScheduledMethod } from './scheduled-methods.js';

type Kind = NestSchedule['kind'];

interface CronJob {
  start: () => void;
  stop(): unknown;
}

/** What is used here of the SchedulerRegistry of @nestjs/schedule. */
interface Registry {
  getCronJobs(): Map<string, CronJob>;
  getIntervals(): string[];
  getInterval(name: string): NodeJS.Timeout;
  getTimeouts(): string[];
  getTimeout(name: string): NodeJS.Timeout;
}

/** What sets its timers, in this hook and all at once. */
interface Orchestrator {
  onApplicationBootstrap: () => void;
  beforeApplicationShutdown(): void;
  /** By their names in the registry. */
  readonly cronJobs: Record<string, { target: (...args: unknown[]) => unknown }>;
}

/** One import of its ScheduleModule. @internal */
export interface NestScheduler {
  readonly registry: Registry;
  readonly orchestrator: Orchestrator;
  /** Whether it was left at true in the module's options. */
  readonly mounts: (kind: Kind) => boolean;
}

const OPTIONS = 'SCHEDULE_MODULE_OPTIONS';
const OPTION_OF = { cron: 'cronJobs', interval: 'intervals', timeout: 'timeouts' } as const;
const KINDS: readonly Kind[] = ['cron', 'interval', 'timeout'];

/** @throws {@link NestScheduleError} for a version that is made otherwise. @internal */
export function nestSchedulersIn(modules: ModulesContainer): NestScheduler[] {
  return [...modules.values()].flatMap(({ providers }) => {
    const options = providers.get(OPTIONS)?.instance as Record<string, boolean> | undefined;
    if (!options) return [];
    const instances = [...providers.values()].map(({ instance }): unknown => instance);
    const registry = instances.find((each) => hasMethods<Registry>(each, 'getCronJobs', 'getInterval', 'getTimeout'));
    const orchestrator = instances.find((each) =>
      hasMethods<Orchestrator>(each, 'onApplicationBootstrap', 'beforeApplicationShutdown'),
    );
    if (!registry || !orchestrator || typeof orchestrator.cronJobs !== 'object') throw unknownVersion();
    return { registry, orchestrator, mounts: (kind: Kind) => options[OPTION_OF[kind]] === true };
  });
}

/**
 * Has none of the timers fire that it sets for adopted methods. They stay in its registry, and what the app adds there
 * itself is left alone: it cannot come in between, since all is set in one go.
 *
 * @param mounted - those that it sets timers for, in the order in which it found them.
 * @internal
 */
export function silenceAfterMount(
  { registry, orchestrator }: NestScheduler,
  mounted: readonly ScheduledMethod[],
  adopted: ReadonlySet<ScheduledMethod>,
): void {
  const mount = orchestrator.onApplicationBootstrap.bind(orchestrator);
  orchestrator.onApplicationBootstrap = () => {
    const before = new Map(KINDS.map((kind) => [kind, new Set(namesIn(registry, kind))]));
    const release = holdBack(orchestrator);
    const silenced = new Set<string>();
    mount();
    for (const kind of KINDS) {
      const names = namesIn(registry, kind).filter((name) => !before.get(kind)!.has(name));
      const methods = mounted.filter(({ schedule }) => schedule.kind === kind);
      const unnamed = methods.filter(({ schedule }) => schedule.name === undefined);
      if (names.length !== methods.length) throw unknownVersion();
      for (const name of names) {
        // Where it was given none, its name is random, and the order tells.
        const method = methods.find(({ schedule }) => schedule.name === name) ?? unnamed.shift();
        if (!method) throw unknownVersion();
        if (!adopted.has(method)) continue;
        silence(registry, kind, name);
        silenced.add(name);
      }
    }
    release(silenced);
  };
}

/** One that is set at the very moment of one of its times runs there and then, before it can be silenced. */
function holdBack({ cronJobs }: Orchestrator): (silenced: ReadonlySet<string>) => void {
  let isMounting = true;
  const held = new Map<string, () => unknown>();
  for (const [name, job] of Object.entries(cronJobs)) {
    const { target } = job;
    job.target = (...args) => {
      if (!isMounting) return target(...args);
      held.set(name, () => target(...args));
      return undefined;
    };
  }
  return (silenced) => {
    isMounting = false;
    for (const [name, run] of held) if (!silenced.has(name)) run();
  };
}

function silence(registry: Registry, kind: Kind, name: string): void {
  if (kind === 'interval') return clearInterval(registry.getInterval(name));
  if (kind === 'timeout') return clearTimeout(registry.getTimeout(name));
  const job = registry.getCronJobs().get(name)!;
  void job.stop();
  // After an initialDelay it would be started again.
  job.start = () => {};
}

function namesIn(registry: Registry, kind: Kind): string[] {
  if (kind === 'cron') return [...registry.getCronJobs().keys()];
  return kind === 'interval' ? registry.getIntervals() : registry.getTimeouts();
}

function hasMethods<T extends object>(instance: unknown, ...methods: (keyof T & string)[]): instance is T {
  if (typeof instance !== 'object' || instance === null) return false;
  return methods.every((method) => typeof (instance as Record<string, unknown>)[method] === 'function');
}

function unknownVersion(): NestScheduleError {
  return new NestScheduleError(
    'this version of @nestjs/schedule sets its timers in another way. Take a version that package.json names as a peer, or leave out the option.',
  );
}
