import type { FoundJob } from '../client/job-reader.js';
import type { StoredJob } from '../client/envelope.js';
import { LastJobs } from './last-jobs.js';

const idOf = (n: number): string => `default_${n}`;

/** Each job's parent is the next one, up to the last. */
function chainOf(
  length: number,
  missing?: number,
): { lastJobs: LastJobs; job: (n: number) => StoredJob; reads: () => number } {
  let reads = 0;
  const job = (n: number): StoredJob =>
    ({ id: idOf(n), ...(n < length - 1 && { parent: { id: idOf(n + 1) } }) }) as unknown as StoredJob;
  const find = async (_queue: string, id: string): Promise<FoundJob | undefined> => {
    reads++;
    const n = Number(id.split('_')[1]);
    return n === missing ? undefined : { job: job(n), state: 'waiting' };
  };
  return { lastJobs: new LastJobs({ find }), job, reads: () => reads };
}

describe('the last job of a canvas', () => {
  it('[A5] is looked for once, and not again by each step of a long chain', async () => {
    const { lastJobs, job, reads } = chainOf(200);
    for (let n = 0; n < 199; n++) expect(await lastJobs.of(job(n))).toBe(idOf(199));
    expect(await lastJobs.of(job(199))).toBeUndefined();
    expect(reads()).toBe(199);
  });

  it('[A5] is not remembered where the way to it is broken', async () => {
    const { lastJobs, job, reads } = chainOf(10, 6);
    expect(await lastJobs.of(job(0))).toBe(idOf(5));
    expect(await lastJobs.of(job(0))).toBe(idOf(5));
    expect(reads()).toBe(12);
    expect(await lastJobs.of(job(5))).toBeUndefined();
  });
});
