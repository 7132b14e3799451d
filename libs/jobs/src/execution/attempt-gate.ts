import { saidOfAttempt, type StoredJob, type Waits } from '../client/envelope.js';
import { hasPrecedence, losePrecedence } from '../client/precedence.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import type { AttemptSays } from './attempt-says.js';

/** What stands before a method knows of the attempt that it lets through, or does not. @internal */
export class AttemptGate {
  lock: { readonly fencingToken: number } | undefined;
  /** Of the key of `@Idempotent`: the one for other services. */
  makeIdempotencyKey: (() => string) | undefined;
  /** The id of the job whose result this one has. */
  deduplicatedBy: string | undefined;
  /** The result has been through the task's schema and is JSON. */
  isResultChecked = false;
  private passedLimits: string[] | undefined;

  constructor(
    readonly job: StoredJob,
    private readonly tell: Tell,
    private readonly attempt: { isOver(): Promise<Error | undefined> },
  ) {}

  /** What this attempt waited for when it was last parked. */
  get waited(): Waits | undefined {
    return saidOfAttempt(this.job)?.waits;
  }

  /** The limits that have let this attempt through; they are not asked again after it was parked for something else. */
  get passed(): string[] {
    return (this.passedLimits ??= [...(saidOfAttempt(this.job)?.passed ?? [])]);
  }

  /**
   * Something to wait for before the method may begin: that the job waits no more has to be known wherever it is given
   * back to, and its key may be free from now on.
   */
  begin(says: AttemptSays): Promise<void> | undefined {
    const { job, waited } = this;
    const precedes = hasPrecedence(job);
    if (!waited && !precedes && !job.data.s) return undefined;
    return this.tell(async () => {
      if (job.data.s) await job.removeDeduplicationKey();
      if (waited) await says.write({}, () => {});
      if (precedes) await losePrecedence(job);
    }, REFUSED_FOR);
  }

  /**
   * Asks the store before the method begins, and waits for it while it is away: no attempt is spent on that.
   *
   * @throws what is to be thrown in the method's place, when the attempt is over by then.
   */
  ask<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return work().catch(() => this.askAgain(work));
  }

  /** Tells the store of what is done, whatever has become of the attempt meanwhile. */
  insist<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return work().catch(() => this.through(work));
  }

  private async askAgain<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const answer = await this.through(async () => {
      // The store may have been away for so long that another process has the job.
      const over = await this.attempt.isOver();
      return over ? { over } : { value: await work() };
    });
    if ('over' in answer) throw answer.over;
    return answer.value;
  }

  private async through<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer;
    await this.tell(async () => {
      answer = await work();
    }, REFUSED_FOR);
    return answer!;
  }
}
