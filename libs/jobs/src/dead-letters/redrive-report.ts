/** A dead letter that was not redriven. @publicApi */
export interface RedriveRefusal {
  /** Of the dead letter. */
  readonly id: string;
  /**
   * {@link PayloadInvalidError} when the schema of its task refuses its payload; {@link DeadLetterNotFoundError} when it
   * was thrown away while that was checked; {@link DuplicateJobError} while another job has its key; else what the schema threw or the store said.
   */
  readonly error: Error;
}

/** What came of `redriveAll`. @publicApi */
export interface RedriveReport {
  /** Dead letters that fitted the filter: the sum of the three below. */
  readonly matched: number;
  /** Those that have a new job now, made by this call. */
  readonly redriven: number;
  /** Those that had been redriven before; nothing was done. */
  readonly redrivenBefore: number;
  /** Those that were refused. */
  readonly refused: number;
  /** What refused them: of the first 1,000. */
  readonly refusals: readonly RedriveRefusal[];
}

const MOST_REFUSALS = 1_000;

/** What came of one dead letter: the id of the job that does it again, and whether this call made that. @internal */
export type Redriven = { readonly id: string; readonly created: boolean };

/** Counts what comes of many. @internal */
export class RedriveTally {
  private redriven = 0;
  private redrivenBefore = 0;
  private refused = 0;
  private readonly refusals: RedriveRefusal[] = [];

  add(id: string, outcome: Redriven | Error): void {
    if (!(outcome instanceof Error)) {
      if (outcome.created) this.redriven++;
      else this.redrivenBefore++;
      return;
    }
    this.refused++;
    if (this.refusals.length < MOST_REFUSALS) this.refusals.push({ id, error: outcome });
  }

  report(): RedriveReport {
    const { redriven, redrivenBefore, refused, refusals } = this;
    return { matched: redriven + redrivenBefore + refused, redriven, redrivenBefore, refused, refusals };
  }
}
