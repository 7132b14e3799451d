import { Inject, Injectable } from '@nestjs/common';
import type { StoredJob } from '../client/envelope.js';
import { findNotJson } from '../client/json-check.js';
import { jsonSizeOver } from '../client/json-size.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { ResultNotSerializableError, ResultTooLargeError } from './execution.errors.js';

/** What of a task's result is kept. @internal */
@Injectable()
export class ResultCheck {
  constructor(@Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions) {}

  /** @throws {ResultNotSerializableError} @throws {ResultTooLargeError} */
  check({ name, data }: StoredJob, result: unknown): unknown {
    if (data.k === 0 || result === undefined) return null;
    return this.storable(name, result);
  }

  storable<Result>(name: string, result: Result): Result {
    const notJson = findNotJson(result);
    if (notJson) throw new ResultNotSerializableError(name, notJson);
    const { maxResultSize } = this.options;
    const size = jsonSizeOver(result, maxResultSize);
    if (size !== undefined) throw new ResultTooLargeError(name, size, maxResultSize);
    return result;
  }
}
