import { randomUUID } from 'node:crypto';
import type { JobsOptions as EngineOptions } from 'bullmq';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { DECIDED_BACKOFF } from '../retry/decided-backoff.js';
import { checkPayload } from '../task/schema-check.js';
import type { StandardSchemaV1 } from '../task/standard-schema.js';
import type { ResolvedTaskOptions } from '../task/task-definition.js';
import type { TaskSettings } from '../task/task.settings.js';
import { PayloadNotSerializableError, PayloadTooLargeError } from './client.errors.js';
import type { EnqueueCall } from './enqueue-call.js';
import type { ResolvedEntryOptions } from './enqueue-options.js';
import { toEnginePriority, type JobEnvelope } from './envelope.js';
import type { ExpectedStart } from './job-handle.js';
import { callersJobId, newJobId } from './job-id.js';
import { findNotJson } from './json-check.js';
import { jsonSizeOver } from './json-size.js';
import type { Routing } from './routing.js';
import type { TaskPlacement } from './task-router.js';
import { engineKey, type Uniqueness } from './uniqueness.js';

/** A job that only has to be sent. @internal */
export interface PreparedJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  /** With an id of the caller's, `data.n` tells this job from one of that id that was there before. */
  readonly data: JobEnvelope;
  readonly opts: EngineOptions;
  readonly start: ExpectedStart;
  /** What it needs a key for; BullMQ knows the key as `opts.deduplication.id`. */
  readonly uniqueness?: Uniqueness | undefined;
}

/** Makes the engine's job of a call, or says what is wrong with the call. Sends nothing. @internal */
export class JobPreparer {
  constructor(
    private readonly settings: TaskSettings,
    private readonly routing: Routing,
    private readonly options: ResolvedJobsOptions,
  ) {}

  /** A promise only when there is a schema or a router to wait for. */
  prepare(call: EnqueueCall): PreparedJob | Promise<PreparedJob> {
    const { ref, payload, options, entry } = call;
    const place = entry ? `${ref.name} (${entry})` : ref.name;
    if (options.queue !== undefined) {
      this.settings.assertDeclared(options.queue, entry ? `${entry}.options.queue` : 'queue');
    }
    this.assertPayload(ref.name, payload, entry);
    if (ref.options.schema) return this.prepareChecked(ref.options.schema, call, place);
    const routed = this.routing.place(call, place);
    return routed instanceof Promise
      ? routed.then((placement) => this.placed(call, place, placement))
      : this.placed(call, place, routed);
  }

  private async prepareChecked(schema: StandardSchemaV1, call: EnqueueCall, place: string): Promise<PreparedJob> {
    await checkPayload(call.ref.name, schema, call.payload, call.entry);
    return this.placed(call, place, await this.routing.place(call, place));
  }

  private placed(call: EnqueueCall, place: string, routed: TaskPlacement): PreparedJob {
    const { ref, options } = call;
    const task = this.settings.resolveCall(ref.options, place, options, routed);
    const id = options.id === undefined ? newJobId(task.queue) : callersJobId(task.queue, options.id);
    return {
      id,
      queue: task.queue,
      name: ref.name,
      data: envelopeOf(call, task),
      opts: this.engineOptions(id, ref.name, task, options),
      uniqueness: options.uniqueness,
      start: { state: options.delay > 0 ? 'scheduled' : 'pending', delay: options.delay },
    };
  }

  private assertPayload(task: string, payload: unknown, entry: string | undefined): void {
    if (payload === undefined) return;
    const notJson = findNotJson(payload);
    if (notJson) {
      const path = entry ? `${entry}.payload${notJson.path.slice(1)}` : notJson.path;
      throw new PayloadNotSerializableError(task, { ...notJson, path });
    }
    const { maxPayloadSize } = this.options;
    const size = jsonSizeOver(payload, maxPayloadSize);
    if (size !== undefined) throw new PayloadTooLargeError(task, size, maxPayloadSize, entry);
  }

  private engineOptions(
    id: string,
    task: string,
    { retry, priority, expiresIn }: ResolvedTaskOptions,
    { delay, calledAt, uniqueness }: ResolvedEntryOptions,
  ): EngineOptions {
    return {
      jobId: id,
      attempts: retry.attempts,
      backoff: { type: DECIDED_BACKOFF },
      priority: toEnginePriority(priority),
      // Of the time of the call, or whatever it waited for (a schema, a router, a tag) would be added to the delay, and
      // taken from the time in which a redriven job may start.
      ...((delay > 0 || expiresIn !== undefined) && { timestamp: calledAt }),
      ...(delay > 0 && { delay }),
      ...(uniqueness && keyOptions(task, uniqueness)),
      ...retention(this.options),
    };
  }
}

/** How long the engine keeps a job that has ended. @internal */
export function retention({ keepFor, keepFailedFor }: ResolvedJobsOptions): EngineOptions {
  return {
    removeOnComplete: { age: Math.ceil(keepFor / 1_000) },
    removeOnFail: { age: Math.ceil(keepFailedFor / 1_000) },
  };
}

/** @internal */
export function keyOptions(task: string, { key, until }: Uniqueness): EngineOptions {
  return { deduplication: { id: engineKey(task, key), ...(typeof until === 'number' && { ttl: until }) } };
}

function envelopeOf(call: EnqueueCall, { expiresIn, keepResult }: ResolvedTaskOptions): JobEnvelope {
  const { payload, options, headers, rootId } = call;
  return {
    ...(payload !== undefined && { p: payload }),
    ...(headers && { h: headers }),
    ...(options.tags && { t: options.tags }),
    ...(rootId !== undefined && { r: rootId }),
    ...(expiresIn !== undefined && { x: options.calledAt + options.delay + expiresIn }),
    ...(!keepResult && { k: 0 as const }),
    ...(options.id !== undefined && { n: randomUUID() }),
    ...(options.uniqueness?.until === 'started' && { s: 1 as const }),
  };
}
