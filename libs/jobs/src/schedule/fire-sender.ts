import { Injectable } from '@nestjs/common';
import { Together } from '../backend/together.js';
import { JobsClient } from '../client/jobs-client.js';
import type { PreparedJob } from '../client/prepared-job.js';

/** Schedules whose jobs are sent together. */
const MOST = 100;

/** Sends jobs of schedules, of which many are due in the same second. @internal */
@Injectable()
export class FireSender {
  private readonly together: Together<readonly PreparedJob[], Error | undefined>;

  constructor(client: JobsClient) {
    this.together = new Together(async (schedules) => {
      const outcomes = await client.sendPrepared(schedules.flat());
      let from = 0;
      return schedules.map(({ length }) =>
        outcomes.slice(from, (from += length)).find((outcome) => outcome instanceof Error),
      );
    }, MOST);
  }

  /** @throws what the first of them is refused with. */
  async send(jobs: readonly PreparedJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const refusal = await this.together.answer(jobs);
    if (refusal) throw refusal;
  }
}
