import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import type { JobContext } from '../execution/job-context.js';
import type { TaskPolicy } from '../execution/policies-first.js';
import { LockLostError } from '../locking/lock.errors.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { JobInLine } from '../parking/job-in-line.js';
import { Parking } from '../parking/parking.js';

/** Has the jobs of a schedule with `overlap: 'queue'` run one after another. @internal */
@Injectable()
export class ScheduleTurns {
  constructor(
    private readonly parking: Parking,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** Undefined for a job that need not wait for others of its schedule. */
  of(job: JobContext): TaskPolicy | undefined {
    return job.gate.job.data.e?.q === 1 ? this.inTurn : undefined;
  }

  private readonly inTurn: TaskPolicy = async (job, _payload, next) => {
    const { s: name } = job.gate.job.data.e!;
    const { lines } = this.backend;
    const line = this.parking.line(`schedule:${name}`, 1);
    const key = `schedule ${name}`;
    const place = await new JobInLine(line, 'lock', key, job, this.parking, lines).take<never>({
      onBusy: 'wait',
      maxWait: undefined,
      ttl: this.options.lease,
      ask: (asked) => lines.take(line, job.id, asked),
      isBusy: '',
      busy: () => new Error(`${key} is busy`),
      lost: (fencingToken) => new LockLostError(key, fencingToken),
    });
    try {
      return await next();
    } finally {
      await this.parking.free(place);
    }
  };
}
