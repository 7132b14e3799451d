import { Inject, Injectable } from '@nestjs/common';
import { InvalidJobsOptionsError } from '../options/jobs-options.error.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { OptionReader } from '../options/option-reader.js';
import { resolveRetry } from '../options/resolve-options.js';
import type { TaskDefinition } from './task-definition.js';
import type { TaskOptions } from './task.decorator.js';

/** What `@Task` options come to under the module's options; the same for producers and for workers. @internal */
@Injectable()
export class TaskSettings {
  constructor(@Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions) {}

  /** @throws {@link InvalidJobsOptionsError} that names `place`. */
  resolve(task: TaskOptions, place: string): Pick<TaskDefinition, 'queue' | 'retry'> {
    const path = `@Task of ${place}`;
    const reader = new OptionReader(task, path, ['name', 'queue', 'retry']);
    reader.text('name', '-', /^[^\s:]{1,200}$/, 'a name of at most 200 characters without spaces and colons');
    const queue = task.queue ?? this.options.defaultQueue;
    this.assertDeclared(queue, reader.at('queue'));
    return { queue, retry: resolveRetry(task.retry, reader.at('retry'), this.options.retry) };
  }

  assertDeclared(queue: string, path: string): void {
    if (this.options.queues.has(queue)) return;
    const declared = [...this.options.queues.keys()].join(', ');
    throw new InvalidJobsOptionsError(
      path,
      `a declared queue (${declared}); declare it with JobsModule.forRoot({ queues: { '${queue}': {} } })`,
      queue,
    );
  }
}
