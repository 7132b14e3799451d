import type { QueueBackend } from '../backend/queue-backend.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { openResultStores } from './open-result-store.js';

const claimOf = async (directory: string, byDefault: boolean): Promise<string | undefined> => {
  const resultStore = { kind: 'files', directory, byDefault };
  const options = { resultStore, connection: { kind: 'redis' } } as unknown as ResolvedJobsOptions;
  return (await openResultStores(options, {} as QueueBackend, { warn: () => {} }))!.claim;
};

describe('the place of results', () => {
  it('[A5] is swept by one process of the fleet, and one that nobody said is shared by one of each machine', async () => {
    expect(await claimOf('/mnt/results', false)).toBeUndefined();
    const claim = await claimOf('.jobs/results', true);
    expect(claim).toMatch(/^results-[0-9a-f]{16}$/);
    expect(await claimOf('.jobs/results', true)).toBe(claim);
    expect(await claimOf('elsewhere/results', true)).not.toBe(claim);
  });
});
