import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { Queues } from '../client/queues.js';
import { FleetDeclarations } from '../fleet/fleet-declarations.js';
import { PROCESSES, readProcess, type ProcessRecord, type StoredProcess } from '../fleet/process-record.js';
import { LIBRARY_VERSION } from '../library-version.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { TaskRegistry } from '../task/task.registry.js';
import { EventLoopLag } from './event-loop-lag.js';
import { WorkerControl } from './worker-control.js';

const BEATS_PER_LEASE = 3;
/** More often (ms) would be a load. */
const SHORTEST_BEAT = 1_000;
/** Also under a long lease (ms): a store that was away is told soon. */
const LONGEST_BEAT = 10_000;
/** How often (ms) it is looked for queues that nobody works: with the longest beat at each, which may come early. */
const LOOK_FOR_UNSERVED_EVERY = 9_000;

/**
 * Tells the fleet that this process lives, which queues it works and how it is, and warns of queues in which jobs wait
 * although no process works them: a typing error in a deployment, most often.
 *
 * @internal
 */
@Injectable()
export class WorkerPresence {
  readonly id = randomUUID();
  private readonly logger = new Logger('Jobs');
  private readonly warned = new Set<string>();
  private readonly interval: number;
  private timer: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private lookedAt = -Infinity;
  private told: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private hasLeft = false;
  private drains = false;

  constructor(
    private readonly queues: Queues,
    private readonly registry: TaskRegistry,
    private readonly declarations: FleetDeclarations,
    private readonly control: WorkerControl,
    private readonly lag: EventLoopLag,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.interval = Math.min(Math.max(options.lease / BEATS_PER_LEASE, SHORTEST_BEAT), LONGEST_BEAT);
  }

  get isDraining(): boolean {
    return this.drains;
  }

  start(): void {
    this.startedAt = Date.now();
    this.timer = setInterval(() => void this.tell(), this.interval).unref();
    void this.tell();
  }

  /** Others shall not rely on this process any more, which lives on. */
  drain(): void {
    this.drains = true;
    if (this.timer) void this.tell();
  }

  async stop(): Promise<void> {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.hasLeft = true;
    const leaving = this.told.then(() => this.backend.ledger.delete(PROCESSES, this.id));
    // Left without a word, this process is forgotten a little later.
    await settlesWithin(this.options.connectTimeout, leaving);
  }

  /** Tells it now. Calls that come while the store has not answered are one. Never rejects. */
  tell(): Promise<void> {
    this.next ??= this.told.then(async () => {
      this.next = undefined;
      // An unreachable backend is reported by the health check; the next beat tries again.
      await this.beat().catch((error: Error) => this.logger.debug(`No heartbeat: ${error.message}`));
    });
    this.told = this.next;
    return this.next;
  }

  /** The queues that some live process works. */
  async servedQueues(): Promise<Set<string>> {
    return new Set((await this.working()).flatMap(({ queues }) => queues.map(({ queue }) => queue)));
  }

  /** Tells of a task whether some live process has its code and works the queue. */
  async served(): Promise<(task: string, queue: string) => boolean> {
    const processes = await this.working();
    return (task, queue) =>
      processes.some(
        ({ queues, tasks, tellsTasks }) =>
          queues.some((each) => each.queue === queue) && (!tellsTasks || tasks.includes(task)),
      );
  }

  private async working(): Promise<ProcessRecord[]> {
    const records = await this.backend.ledger.list(PROCESSES);
    return records.flatMap((record) => readProcess(record) ?? []).filter(({ draining }) => !draining);
  }

  private async beat(): Promise<void> {
    if (this.hasLeft) return;
    await this.backend.whenReady(this.interval);
    const self: StoredProcess = {
      queues: this.drains ? [] : [...this.options.workedQueues],
      tasks: this.registry.all().map(({ name }) => name),
      host: hostname(),
      pid: process.pid,
      version: LIBRARY_VERSION,
      node: process.version,
      startedAt: this.startedAt,
      seenAt: Date.now(),
      worked: this.control.queues(),
      memory: process.memoryUsage.rss(),
      eventLoopLag: this.lag.takeWorst(),
      draining: this.drains,
    };
    // As long as the claims on its jobs: one whose event loop is blocked for less is not dead.
    const remembered = Math.max(this.options.lease, BEATS_PER_LEASE * this.interval);
    await this.backend.ledger.put(PROCESSES, this.id, self, remembered);
    await this.declarations.announce();
    if (this.drains || performance.now() - this.lookedAt < LOOK_FOR_UNSERVED_EVERY) return;
    this.lookedAt = performance.now();
    await this.warnOfUnserved();
  }

  private async warnOfUnserved(): Promise<void> {
    const served = await this.servedQueues();
    for (const queue of this.options.queues.keys()) {
      if (served.has(queue)) {
        this.warned.delete(queue);
        continue;
      }
      if (this.warned.has(queue)) continue;
      const { waiting = 0, prioritized = 0 } = await this.queues.get(queue).getJobCounts('waiting', 'prioritized');
      if (waiting + prioritized === 0) continue;
      this.warned.add(queue);
      this.logger.warn(
        `Queue "${queue}": ${waiting + prioritized} jobs wait, and no process works it. ` +
          "Start one whose 'workers' option includes it.",
      );
    }
  }
}
