import type { JobHandle } from './job-handle.js';

/** What {@link accepted} makes of a job; {@link JobsHttpModule} turns it into the response. @publicApi */
export class AcceptedJob {
  /** @internal */
  constructor(readonly job: JobHandle) {}

  /** For where nothing turns it into a response: wrapped by an interceptor, or without the module. */
  toJSON(): { id: string; state: string } {
    return { id: this.job.id, state: this.job.expected.state };
  }
}
