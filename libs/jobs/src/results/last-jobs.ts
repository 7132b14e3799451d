import type { StoredJob } from '../client/envelope.js';
import { queueOfJobId } from '../client/job-id.js';
import type { JobReader } from '../client/job-reader.js';

/** About 200 bytes each. */
const MOST_REMEMBERED = 10_000;

/**
 * Finds the last job of the canvas that a job is a part of, and remembers it of all those that wait for the job: they come
 * next, and each step of a long chain would read all those behind it.
 *
 * @internal
 */
export class LastJobs {
  private readonly known = new Map<string, string>();

  constructor(private readonly reader: Pick<JobReader, 'find'>) {}

  /** Undefined for one that is no part of anything. */
  async of(job: StoredJob): Promise<string | undefined> {
    const passed: string[] = [];
    for (let id = job.parent?.id; id !== undefined;) {
      const known = this.known.get(id);
      if (known !== undefined) return this.remember(passed, known);
      const queue = queueOfJobId(id);
      const found = queue === undefined ? undefined : await this.reader.find(queue, id);
      // Nobody waits for what is below it, as far as there is something.
      if (!found) return passed.at(-1);
      passed.push(id);
      id = found.job.parent?.id;
    }
    return this.remember(passed, passed.at(-1));
  }

  private remember(passed: readonly string[], last: string | undefined): string | undefined {
    if (last !== undefined) for (const id of passed) this.known.set(id, last);
    // The oldest.
    for (const id of this.known.keys()) {
      if (this.known.size <= MOST_REMEMBERED) break;
      this.known.delete(id);
    }
    return last;
  }
}
