import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { Queues } from '../client/queues.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { TaskRegistry } from '../task/task.registry.js';

const COLLECTION = 'processes';
const HEARTBEAT = 10_000;
const FORGOTTEN_AFTER = 3 * HEARTBEAT;

/** What a process says of itself. */
type Presence = { queues: string[]; tasks: string[]; host: string; pid: number };

/**
 * Tells the fleet which queues this process works, and warns of queues in which jobs wait although no process works
 * them: a typing error in a deployment, most often.
 *
 * @internal
 */
@Injectable()
export class WorkerPresence {
  private readonly logger = new Logger('Jobs');
  private readonly processId = randomUUID();
  private readonly warned = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> = Promise.resolve();

  constructor(
    private readonly queues: Queues,
    private readonly registry: TaskRegistry,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  start(): void {
    const beat = (): void => {
      // An unreachable backend is reported by the health check; the next beat tries again.
      this.beating = this.beat().catch((error: Error) => this.logger.debug(`No heartbeat: ${error.message}`));
    };
    this.timer = setInterval(beat, HEARTBEAT).unref();
    beat();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    const leaving = this.beating.then(() => this.backend.ledger.delete(COLLECTION, this.processId));
    // Left without a word, this process is forgotten a little later.
    await settlesWithin(this.options.connectTimeout, leaving);
  }

  /** The queues that some live process works. */
  async servedQueues(): Promise<Set<string>> {
    const records = await this.backend.ledger.list(COLLECTION);
    return new Set(records.flatMap(({ value }) => (value as { queues: string[] }).queues));
  }

  /** Tells of a task whether some live process has its code and works the queue. */
  async served(): Promise<(task: string, queue: string) => boolean> {
    const records = await this.backend.ledger.list(COLLECTION);
    const processes = records.map(({ value }) => value as Pick<Presence, 'queues'> & Partial<Presence>);
    return (task, queue) =>
      // One of a version before tells of no tasks.
      processes.some(({ queues, tasks }) => queues.includes(queue) && (tasks === undefined || tasks.includes(task)));
  }

  private async beat(): Promise<void> {
    await this.backend.whenReady(HEARTBEAT);
    const self: Presence = {
      queues: [...this.options.workedQueues],
      tasks: this.registry.all().map(({ name }) => name),
      host: hostname(),
      pid: process.pid,
    };
    await this.backend.ledger.put(COLLECTION, this.processId, self, FORGOTTEN_AFTER);
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
