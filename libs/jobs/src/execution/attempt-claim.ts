import type { StoredJob } from '../client/envelope.js';
import type { JobClaims } from './job-claims.js';

/** Whether the process that runs an attempt still has the job: it may have been frozen, or cut off from the store. @internal */
export class AttemptClaim {
  private renewedAt = 0;
  private lost = false;

  constructor(
    private readonly job: StoredJob,
    private readonly claims: Pick<JobClaims, 'lease' | 'holds'>,
  ) {}

  /** Whether the job was found to be somebody else's. */
  get isLost(): boolean {
    return this.lost;
  }

  /** So long since the last renewal that another process may have got the job. */
  get isInDoubt(): boolean {
    return Date.now() - Math.max(this.renewedAt, this.job.processedOn ?? 0) > this.claims.lease;
  }

  renewed(askedAt: number): void {
    this.renewedAt = askedAt;
  }

  /** Asks the store whose the job is; the answer stays in {@link AttemptClaim.isLost}. */
  async verify(): Promise<void> {
    if (!(await this.claims.holds(this.job))) this.lost = true;
  }
}
