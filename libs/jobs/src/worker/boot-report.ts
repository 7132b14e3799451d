import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { TaskContextCreator } from '../execution/task-context.creator.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { TaskRegistry } from '../task/task.registry.js';

/** Says at boot where jobs are kept, which of the tasks this process works, and what global they run through. @internal */
@Injectable()
export class BootReport {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly registry: TaskRegistry,
    private readonly contexts: TaskContextCreator,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  log(): void {
    this.logger.log(`Jobs are kept in ${this.backend.location}.${this.howToChooseAnother()}`);
    const tasks = this.registry.all();
    if (tasks.length === 0) return;
    this.logger.log(`Tasks of this process:\n${this.table(tasks).join('\n')}`);
    const enhancers = this.contexts.globalEnhancers();
    if (enhancers.length === 0 || this.options.workedQueues.size === 0) return;
    this.logger.log(
      `Global enhancers that tasks run through: ${enhancers.join(', ')}. ` +
        'One that expects a request must let jobs pass: isJobsContext(context).',
    );
  }

  private howToChooseAnother(): string {
    const { connection } = this.options;
    if (connection.kind !== 'embedded' || !connection.byDefault) return '';
    return " That serves one process; for several: JobsModule.forRoot({ connection: 'redis://...' }).";
  }

  private table(tasks: readonly { name: string; queue: string }[]): string[] {
    const widths = [
      Math.max(...tasks.map(({ name }) => name.length)),
      Math.max(...tasks.map(({ queue }) => queue.length)),
    ];
    return tasks.map(({ name, queue }) => {
      const worked = this.options.workedQueues.has(queue) ? 'worked here' : 'not worked here';
      return `  ${name.padEnd(widths[0]!)}  -> ${queue.padEnd(widths[1]!)}  ${worked}`;
    });
  }
}
