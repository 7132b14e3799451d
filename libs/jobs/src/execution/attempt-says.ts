import { attemptNumber, saidOfAttempt, type ProgressRecord, type StoredJob } from '../client/envelope.js';

/** What an attempt tells of itself to whoever polls the status. @internal */
export class AttemptSays {
  readonly record: ProgressRecord;
  private writing: Promise<void> | undefined;

  constructor(private readonly job: StoredJob) {
    this.record = { attempt: attemptNumber(job) };
    const { snoozedUntil, snoozedFor } = saidOfAttempt(job) ?? {};
    if (snoozedUntil !== undefined) this.record.snoozedUntil = snoozedUntil;
    if (snoozedFor !== undefined) this.record.snoozedFor = snoozedFor;
  }

  /**
   * One write after the other: sent together, they may reach the store in any order.
   *
   * @param assertAllowed - throws when another attempt may run by the time that it is this one's turn.
   */
  write(said: Partial<ProgressRecord>, assertAllowed: () => void): Promise<void> {
    const record = { ...Object.assign(this.record, said) };
    const write = async (): Promise<void> => {
      assertAllowed();
      await this.job.updateProgress(record);
    };
    this.writing = this.writing ? this.written().then(write) : write();
    return this.writing;
  }

  /** Resolves when what was said before is stored, or could not be. */
  async written(): Promise<void> {
    await this.writing?.catch(() => {});
  }
}
