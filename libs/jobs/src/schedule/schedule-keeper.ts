import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import { FleetChore } from '../backend/fleet-chore.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { ScheduleClock } from './schedule-clock.js';
import { ScheduleFires } from './schedule-fires.js';
import { ScheduleRecords } from './schedule-records.js';
import { UnservedSchedules } from './unserved-schedules.js';

const COLLECTION = 'schedule-keeper';
/** Milliseconds between two looks, of whichever process. */
const LONGEST_INTERVAL = 5_000;
const LOOKS_PER_LEASE = 3;
/** How late (ms) a fire is when its alarm has most likely been lost. */
const OVERDUE = 2_000;
const PAGE = 100;
/** Of those that cannot be mended as many are passed over. */
const MOST_LISTED = 2_000;
const TOGETHER = 10;

/**
 * Looks for schedules whose time has passed and who were not looked at: an alarm died with its process, or a process died
 * between storing a schedule and setting its alarm. One process of the fleet does so in each interval; two do no harm.
 *
 * @internal
 */
@Injectable()
export class ScheduleKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly chore: FleetChore;

  constructor(
    private readonly records: ScheduleRecords,
    private readonly fires: ScheduleFires,
    private readonly clock: ScheduleClock,
    private readonly unserved: UnservedSchedules,
    @Inject(QUEUE_BACKEND) backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    const settings = {
      collection: COLLECTION,
      key: 'look',
      interval: Math.min(LONGEST_INTERVAL, options.lease / LOOKS_PER_LEASE),
      // An unreachable backend is reported by the health check.
      onFailure: (error: Error) => this.logger.debug(`Schedules are not looked after: ${error.message}`),
    };
    this.chore = new FleetChore(backend, settings, () => this.look());
  }

  onApplicationBootstrap(): void {
    if (this.options.workedQueues.size > 0) this.chore.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.chore.stop(this.options.connectTimeout);
  }

  private async look(): Promise<void> {
    const before = Date.now() - OVERDUE;
    const tried = new Set<string>();
    for (let limit = PAGE; limit <= MOST_LISTED && !this.chore.isStopped;) {
      const names = await this.records.overdue(before, limit);
      const others = names.filter((name) => !tried.has(name));
      for (let n = 0; n < others.length; n += TOGETHER) {
        await Promise.all(others.slice(n, n + TOGETHER).map((name) => this.tryToMend(name)));
      }
      if (names.length < limit) break;
      // Those that could not be mended stand before the others.
      if (others.length === 0) limit += PAGE;
      for (const name of others) tried.add(name);
      await this.chore.goOn();
    }
    await this.unserved.lookAtSome();
  }

  /** One that cannot be mended keeps nobody from the others. */
  private async tryToMend(name: string): Promise<void> {
    try {
      await this.mend(name);
    } catch (error) {
      if (error instanceof BackendUnavailableError) throw error;
      this.logger.error(`The schedule "${name}" cannot send its jobs: ${(error as Error).message}`);
    }
  }

  private async mend(name: string): Promise<void> {
    const fired = await this.fires.fire(name);
    if (fired.kind === 'over') return this.clock.disarm(name);
    if (await this.clock.isSet(name, fired.spec, OVERDUE)) return;
    const { spec } = await this.records.change(name, (record) => ({
      ...record,
      state: { ...record.state, rearmed: record.state.rearmed + 1 },
    }));
    await this.clock.arm(name, spec);
    this.logger.warn(`The schedule "${name}" was not looked at when its time had come; it is set again.`);
  }
}
