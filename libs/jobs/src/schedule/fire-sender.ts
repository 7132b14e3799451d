import { Injectable } from '@nestjs/common';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { JobsClient } from '../client/jobs-client.js';
import type { PreparedJob } from '../client/prepared-job.js';

interface Waiting {
  readonly jobs: readonly PreparedJob[];
  readonly sent: () => void;
  readonly refused: (reason: unknown) => void;
}

/** Sends jobs of schedules, those of one turn of the event loop together: many schedules are due in the same second. @internal */
@Injectable()
export class FireSender {
  private waiting: Waiting[] = [];

  constructor(private readonly client: JobsClient) {}

  /** @throws what the first of them is refused with. */
  send(jobs: readonly PreparedJob[]): Promise<void> {
    if (jobs.length === 0) return Promise.resolve();
    return new Promise((sent, refused) => {
      this.waiting.push({ jobs, sent, refused });
      if (this.waiting.length === 1) setImmediate(() => void this.sendWaiting());
    });
  }

  private async sendWaiting(): Promise<void> {
    const all = this.waiting;
    this.waiting = [];
    try {
      await this.sendTogether(all);
    } catch (error) {
      // What is wrong with one of them is no matter of the others; what was sent already is not sent again.
      const isOfOne = all.length > 1 && !(error instanceof BackendUnavailableError);
      if (!isOfOne) return all.forEach(({ refused }) => refused(error));
      await Promise.all(all.map((each) => this.sendTogether([each]).catch(each.refused)));
    }
  }

  private async sendTogether(all: readonly Waiting[]): Promise<void> {
    const outcomes = await this.client.sendPrepared(all.flatMap(({ jobs }) => jobs));
    let from = 0;
    for (const { jobs, sent, refused } of all) {
      const refusal = outcomes.slice(from, (from += jobs.length)).find((outcome) => outcome instanceof Error);
      if (refusal) refused(refusal);
      else sent();
    }
  }
}
