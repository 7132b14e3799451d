import type { JobsOptions as EngineOptions } from 'bullmq';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import type { TaskRef } from '../task/task-ref.js';
import type { TaskSettings } from '../task/task.settings.js';
import { PayloadNotSerializableError, PayloadTooLargeError } from './client.errors.js';
import type { ResolvedEntryOptions } from './enqueue-options.js';
import { toEnginePriority, type JobEnvelope } from './envelope.js';
import type { ExpectedStart } from './job-handle.js';
import { newJobId } from './job-id.js';
import { findNotJson } from './json-check.js';

/** A job that only has to be sent. @internal */
export interface PreparedJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly data: JobEnvelope;
  readonly opts: EngineOptions;
  readonly start: ExpectedStart;
}

/** Makes the engine's job of a call, or says what is wrong with the call. Sends nothing. @internal */
export class JobPreparer {
  constructor(
    private readonly settings: TaskSettings,
    private readonly options: ResolvedJobsOptions,
  ) {}

  /** `entry` is the place in a list that complaints name, as in `entries[3]`. */
  prepare(ref: TaskRef, payload: unknown, call: ResolvedEntryOptions, entry?: string): PreparedJob {
    const task = this.settings.resolve(ref.options, entry ? `${ref.name} (${entry})` : ref.name);
    const queue = call.queue ?? task.queue;
    this.settings.assertDeclared(queue, entry ? `${entry}.options.queue` : 'queue');
    const data = this.seal(ref.name, payload, entry);
    const id = newJobId(queue);
    const start: ExpectedStart = { state: call.delay > 0 ? 'scheduled' : 'pending', delay: call.delay };
    return { id, queue, name: ref.name, data, opts: this.engineOptions(id, task.retry.attempts, call), start };
  }

  private seal(task: string, payload: unknown, entry: string | undefined): JobEnvelope {
    if (payload === undefined) return {};
    const notJson = findNotJson(payload);
    if (notJson) {
      const path = entry ? `${entry}.payload${notJson.path.slice(1)}` : notJson.path;
      throw new PayloadNotSerializableError(task, { ...notJson, path });
    }
    const { maxPayloadSize } = this.options;
    const size = Buffer.byteLength(JSON.stringify(payload));
    if (size > maxPayloadSize) throw new PayloadTooLargeError(task, size, maxPayloadSize, entry);
    return { p: payload };
  }

  private engineOptions(id: string, attempts: number, { delay, priority }: ResolvedEntryOptions): EngineOptions {
    return {
      jobId: id,
      attempts,
      backoff: { type: DECIDED_BACKOFF },
      priority: toEnginePriority(priority),
      ...(delay > 0 && { delay }),
      removeOnComplete: { age: Math.ceil(this.options.keepFor / 1_000) },
      removeOnFail: { age: Math.ceil(this.options.keepFailedFor / 1_000) },
    };
  }
}
