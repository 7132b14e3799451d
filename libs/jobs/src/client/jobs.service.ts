import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import type { TaskRef } from '../task/task-ref.js';
import { TaskSettings } from '../task/task.settings.js';
import type { JobHandle } from './job-handle.js';
import type { JobStatus } from './job-status.js';
import { JobsClient, type EnqueueArguments } from './jobs-client.js';
import { Queues } from './queues.js';

/**
 * What an app does with jobs. Inject it where work is to be enqueued or looked up.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { JobsService, Task, task } from 'nestjs-jobs';
 *
 * @Injectable()
 * class Mails {
 *   @Task()
 *   async welcome(payload: { userId: string }): Promise<void> {
 *     console.log(payload.userId);
 *   }
 * }
 *
 * @Injectable()
 * export class Users {
 *   constructor(private readonly jobs: JobsService) {}
 *
 *   async register(userId: string): Promise<string> {
 *     const job = await this.jobs.enqueue(task(Mails, 'welcome'), { userId }, { delay: '10m' });
 *     return job.id;
 *   }
 * }
 * ```
 *
 * @publicApi
 */
@Injectable()
export class JobsService {
  /** @internal */
  constructor(
    private readonly client: JobsClient,
    private readonly queues: Queues,
    private readonly settings: TaskSettings,
  ) {}

  /**
   * Stores a job for a task. Once this resolves, the job is run to a final state at least once, whatever happens to
   * this process.
   *
   * @throws {@link PayloadNotSerializableError} and {@link PayloadTooLargeError} for what cannot be stored;
   * {@link InvalidEnqueueOptionsError}; {@link BackendUnavailableError} within `connectTimeout`.
   */
  enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...args: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    return this.client.enqueue(ref, ...args);
  }

  /** The handle of a job by its id; whether there is such a job shows when it is asked. */
  job(id: string): JobHandle {
    return this.client.job(id);
  }

  /** Where several jobs stand, by id; null for those that are not there. */
  async statuses(ids: readonly string[]): Promise<Record<string, JobStatus | null>> {
    const entries = ids.map(async (id) => [id, (await this.client.status(id)) ?? null] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /**
   * The BullMQ queue behind a declared queue, for what BullMQ can and this library does not offer.
   *
   * @throws {@link InvalidJobsOptionsError} when the queue is not declared.
   */
  queue(name: string): Queue {
    this.settings.assertDeclared(name, 'queue');
    return this.queues.get(name);
  }
}
