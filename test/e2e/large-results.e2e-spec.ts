import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backends, embeddedIn, ownNamespace } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { isFull, runsOn, sized } from '../support/test-form.js';

const MEGABYTE = 1024 * 1024;

// In the short form each kind of store once: files with Redis, the table in Postgres.
const streaming = backends.filter((backend) => [1, 2].some((n) => runsOn(backend, backends, n)));
describe.each(streaming)('a large result on $name', (backend) => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'large-results-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  // What holds a quarter of the short one is found as well.
  it(
    '[A5] [X2] streams from the task to the store, and from there to the client, in less than 64 MB',
    async () => {
      const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
      const store = backend.name === 'postgres' ? ('table' as const) : { files: join(directory, 'results') };
      const settings = {
        size: sized(200, 160) * MEGABYTE,
        options: { connection, namespace: ownNamespace(backend), results: { store } },
      };
      const child = spawnFixture('large-result-server', {
        env: { LARGE_RESULT_SETTINGS: JSON.stringify(settings), NODE_OPTIONS: '--expose-gc' },
      });
      const [, above] = await child.waitForLine(/^ABOVE (\d+)$/, { timeout: 120_000 });
      expect(Number(above)).toBeLessThan(64 * MEGABYTE);
      expect((await child.exited).code).toBe(0);
    },
    isFull ? 300_000 : 180_000,
  );
});
