import { Injectable } from '@nestjs/common';
import { describeError } from '../retry/attempt-record.js';
import { readCancelMark, readCancelRequest } from '../client/cancel-mark.js';
import { readChildFailure } from '../client/child-failure.js';
import type { StoredJob } from '../client/envelope.js';
import { memberOf } from '../client/flow-members.js';
import { JobReader } from '../client/job-reader.js';
import type { JobErrorInfo } from '../client/job-status.js';
import { Queues } from '../client/queues.js';
import { readStatus } from '../client/read-status.js';
import { resultIn } from '../client/stored-result.js';
import { KeptElsewhere } from '../results/result-reference.js';
import { ResultKeeper } from '../results/result-keeper.js';
import { StoredResults } from '../results/stored-results.js';
import { isReplacement, isSpawner, memberNumber } from './canvas-ids.js';
import { CanvasPayloadError } from './canvas.errors.js';
import type { Settled } from './canvas-types.js';

/** Members that are looked at together. */
const TOGETHER = 100;

/** What a job of a canvas takes of the jobs that it has waited for. @internal */
@Injectable()
export class ChildResults {
  constructor(
    private readonly queues: Queues,
    private readonly reader: JobReader,
    private readonly keeper: ResultKeeper,
    private readonly stored: StoredResults,
  ) {}

  /** The payload of a part of a canvas. @throws {@link CanvasPayloadError} */
  async payloadOf(job: StoredJob): Promise<unknown> {
    const { p, c } = job.data;
    if (!c || c.j === undefined || (c.g === undefined && !c.v)) return p;
    const { value } = await this.read(job);
    return joined(job.name, p, value instanceof KeptElsewhere ? await this.stored.payload(value) : value, c.j);
  }

  /** The result of the step before, or the list of those of a group; or where that is kept. */
  async of(job: StoredJob): Promise<unknown> {
    const { value, isLarge } = await this.read(job);
    return isLarge ? this.keeper.keepLarge(job, value) : value;
  }

  /** What it takes; `isLarge` when it was put together of what is kept elsewhere. */
  private async read(job: StoredJob): Promise<{ value: unknown; isLarge: boolean }> {
    const { g, t, a, v } = job.data.c!;
    if (v) return { value: resultIn(v[0]), isLarge: false };
    const values = Object.entries(await job.getChildrenValues<unknown>())
      .map(([key, value]) => ({ id: memberOf(key).id, value }))
      .filter(({ id }) => !isSpawner(id) && !isReplacement(id));
    if (g === 1) {
      if (!values[0]) throw gone(`the step before job ${job.id}`);
      return { value: resultIn(values[0].value), isLarge: false };
    }
    const list: unknown[] = [];
    let isLarge = false;
    for (const { id, value } of values) {
      const kept = resultIn(value);
      isLarge ||= kept instanceof KeptElsewhere;
      const result = kept instanceof KeptElsewhere ? await this.stored.payload(kept) : kept;
      list[memberNumber(id)!] = a ? ({ status: 'succeeded', value: result } satisfies Settled<unknown>) : result;
    }
    if (a) for (const { n, error, status } of await this.failures(job)) list[n] = { status, error };
    const expected = t ?? list.length;
    const missing = Array.from({ length: expected }, (_, n) => n).find((n) => !(n in list));
    if (missing === undefined) return { value: list, isLarge };
    throw gone(`member ${missing} of the group of job ${job.id}`);
  }

  private async failures(
    job: StoredJob,
  ): Promise<{ n: number; status: 'failed' | 'cancelled'; error: JobErrorInfo }[]> {
    const failed = Object.entries(await job.getIgnoredChildrenFailures());
    const all: { n: number; status: 'failed' | 'cancelled'; error: JobErrorInfo }[] = [];
    for (let n = 0; n < failed.length; n += TOGETHER) {
      const read = failed.slice(n, n + TOGETHER).map(async ([key, reason]) => {
        const { queue, id } = memberOf(key);
        const found = await this.reader.find(queue, id);
        const status = found && readStatus(found.job, found.state);
        // When it is not kept any more, what it ended with is.
        const mark = readCancelMark(reason) ?? readCancelRequest(reason);
        const isCancelled = status ? status.state === 'cancelled' : mark !== undefined;
        const cancelled = { name: 'JobCancelledError', message: status?.reason ?? mark?.reason ?? 'cancelled' };
        const error = status?.error ?? readChildFailure(reason)?.error ?? describeError(new Error(reason));
        return {
          n: memberNumber(id)!,
          status: isCancelled ? ('cancelled' as const) : ('failed' as const),
          error: isCancelled ? cancelled : error,
        };
      });
      all.push(...(await Promise.all(read)));
    }
    return all;
  }

  /** The ids of the children that a job has, in whichever state. */
  async idsBelow(queue: string, id: string): Promise<Set<string>> {
    const job = await this.queues.get(queue).getJob(id);
    const { processed = {}, unprocessed = [], ignored = {}, failed = [] } = (await job?.getDependencies()) ?? {};
    const keys = [...Object.keys(processed), ...unprocessed, ...Object.keys(ignored), ...failed];
    return new Set(keys.map((key) => memberOf(key).id));
  }
}

/** @throws {@link CanvasPayloadError} @internal */
export function joined(
  task: string,
  payload: unknown,
  previous: unknown,
  how: 'p' | 'm' | { readonly i: string },
): unknown {
  if (how === 'p') return previous;
  if (how !== 'm') return { ...(payload as object), [how.i]: previous };
  if (isObject(previous)) return { ...previous, ...(payload as object) };
  const found = Array.isArray(previous) ? 'a list' : previous === null ? 'null' : `a ${typeof previous}`;
  throw new CanvasPayloadError(task, `an object is to be merged, but it is ${found}`);
}

function gone(place: string): Error {
  return new Error(`nestjs-jobs: the result of ${place} is not there (any more).`);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
