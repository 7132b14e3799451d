import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { StoredJob } from '../client/envelope.js';
import { findNotJson } from '../client/json-check.js';
import { jsonSizeOver } from '../client/json-size.js';
import { JobReader } from '../client/job-reader.js';
import { ResultNotSerializableError, ResultTooLargeError } from '../execution/execution.errors.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { contentTypeOf } from './content-type.js';
import { LastJobs } from './last-jobs.js';
import { discard, discardIn, isBody, ResultBody } from './result-body.js';
import { KeptElsewhere, type ResultOwner } from './result-reference.js';
import { StoredResults, type Keeping } from './stored-results.js';

const JSON_TYPE = 'application/json';

/** The attempt that a result is written in: when it is over, nobody wants the result. @internal */
export interface WritingAttempt {
  readonly ended: boolean;
  onCutOff: ((reason: Error) => void) | undefined;
}

/** How a result is kept beside its job. @internal */
export interface KeepOptions {
  readonly attempt?: WritingAttempt | undefined;
  /** Milliseconds since the epoch. */
  readonly until?: number | undefined;
}

/** Decides what of a task's result is kept, and where. @internal */
@Injectable()
export class ResultKeeper {
  private readonly lastJobs: LastJobs;

  constructor(
    private readonly stored: StoredResults,
    reader: JobReader,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {
    this.lastJobs = new LastJobs(reader);
  }

  /**
   * What the job is to end with; a promise only of what is to be kept elsewhere.
   *
   * @throws {@link ResultNotSerializableError}, {@link ResultTooLargeError}; the promise rejects with
   * {@link ResultStoreError}, or with what a stream ends with.
   */
  keep(job: StoredJob, result: unknown, options: KeepOptions = {}): unknown {
    if (job.data.k === 0 || result === undefined) {
      discard(result);
      return null;
    }
    return this.keepAny(job, result, options);
  }

  /** As {@link keep}, also for a job that wants none kept: others do. */
  keepAny(job: StoredJob, result: unknown, options: KeepOptions = {}): unknown {
    if (result instanceof KeptElsewhere) return result;
    const { name } = job;
    if (isBody(result)) return this.keepBody(job, result, options);
    try {
      const size = this.sizeBeyond(name, result);
      return size === undefined ? result : this.keepJson(job, result, size, options);
    } catch (error) {
      discardIn(result);
      throw error;
    }
  }

  /** {@link StoredResults.payload} */
  payload(kept: KeptElsewhere): Promise<unknown> {
    return this.stored.payload(kept);
  }

  /** Where nothing is kept but JSON of the size that a queue takes. @throws as {@link keep} */
  storable<Result>(name: string, result: Result): Result {
    const size = this.sizeBeyond(name, result);
    if (size !== undefined) throw new ResultTooLargeError(name, size, this.options.maxResultSize);
    return result;
  }

  /** Of JSON that was made of results which are kept elsewhere. */
  async keepLarge(job: StoredJob, value: unknown): Promise<unknown> {
    const size = jsonSizeOver(value, this.options.maxResultSize);
    return size === undefined ? value : this.keepJson(job, value, size, {});
  }

  private sizeBeyond(name: string, result: unknown): number | undefined {
    const notJson = findNotJson(result);
    if (notJson) throw new ResultNotSerializableError(name, notJson);
    return jsonSizeOver(result, this.options.maxResultSize);
  }

  private keepJson(
    job: StoredJob,
    result: unknown,
    size: number,
    { attempt, until }: KeepOptions,
  ): Promise<KeptElsewhere> {
    const { maxResultSize, maxStoredSize } = this.options;
    if (!this.stored.isOn) throw new ResultTooLargeError(job.name, size, maxResultSize);
    if (size > maxStoredSize) throw new ResultTooLargeError(job.name, size, maxStoredSize, 'results.maxSize');
    const body = Buffer.from(JSON.stringify(result));
    return this.write(job, body, attempt, { as: 'json', contentType: JSON_TYPE, until });
  }

  private keepBody(
    job: StoredJob,
    result: Uint8Array | Readable,
    { attempt, until }: KeepOptions,
  ): Promise<KeptElsewhere> {
    if (!this.stored.isOn) {
      discard(result);
      const found = `${result instanceof Readable ? 'a stream' : 'binary data'}, which needs results.store`;
      throw new ResultNotSerializableError(job.name, { path: '$', found });
    }
    return this.write(job, result, attempt, { as: 'bytes', contentType: contentTypeOf(result), until });
  }

  private async write(
    job: StoredJob,
    result: Uint8Array | Readable,
    attempt: WritingAttempt | undefined,
    keeping: Keeping,
  ): Promise<KeptElsewhere> {
    if (attempt?.ended) {
      discard(result);
      throw new Error(`nestjs-jobs: the attempt of job "${job.id}" had ended before its result was to be kept.`);
    }
    const body = ResultBody.of(job.name, result, this.options.maxStoredSize);
    if (attempt) attempt.onCutOff = (reason) => body.cutOff(reason);
    try {
      return await this.stored.write(await this.ownerOf(job), body, keeping);
    } catch (error) {
      body.destroy();
      throw error;
    } finally {
      if (attempt) attempt.onCutOff = undefined;
    }
  }

  /** Of a canvas each result may be wanted until all of it has ended. */
  private async ownerOf(job: StoredJob): Promise<ResultOwner> {
    const owner = { id: job.id!, queue: job.queueName };
    if (job.parent?.id === undefined) return owner;
    const parentId = await this.lastJobs.of(job);
    return parentId === undefined ? owner : { ...owner, parentId };
  }
}
