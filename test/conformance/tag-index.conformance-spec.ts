import type { PostgresConnection } from 'bullmq';
import { Redis } from 'ioredis';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, redisUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';

const HOUR = 3_600_000;

describe.each(backends)('the index of tags on $name', ({ connection, name }) => {
  let backend: QueueBackend;
  let namespace: string;
  /** Entries that take up room, expired ones too. */
  let count: () => Promise<number>;
  const cleanUp: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    namespace = uniqueNamespace();
    backend = await openBackend(resolveOptions({ connection: connection()!, namespace }), new MemoryLogger());
    cleanUp.push(() => backend.close(10_000));
    await backend.whenReady(10_000);
    count = name === 'redis' ? countOnRedis() : countInSql();
  });
  afterEach(async () => {
    for (const end of cleanUp.splice(0).toReversed()) await end();
  });

  function countOnRedis(): () => Promise<number> {
    const client = new Redis(redisUrl());
    cleanUp.push(async () => client.disconnect());
    return async () => {
      const sets = await client.keys(`{${namespace}}:_tag:*`);
      return (await Promise.all(sets.map((set) => client.zcard(set)))).reduce((sum, n) => sum + n, 0);
    };
  }

  function countInSql(): () => Promise<number> {
    const queue = backend.createQueue('any');
    cleanUp.push(() => queue.close());
    const { connection: sql } = queue.getBackend() as unknown as { connection: PostgresConnection };
    return async () => {
      const { rows } = await sql.pool.query<{ n: string }>(`SELECT count(*) AS n FROM jobs_ledger`);
      return Number(rows[0]!.n);
    };
  }

  const entries = (tags: number, jobs: number, ttl: number) =>
    Array.from({ length: tags * jobs }, (_, n) => ({ tag: `tag ${n % tags}`, jobId: `default_${n}`, ttl }));

  it('[I4] names no more what was removed, and what is not there is removed without harm', async () => {
    await backend.tags.add(entries(2, 3, HOUR));
    await backend.tags.remove([
      { tag: 'tag 1', jobId: 'default_3' },
      { tag: 'tag 1', jobId: 'default_2' },
      { tag: 'nobody', jobId: 'default_1' },
    ]);
    expect(await backend.tags.jobsWith('tag 1')).toEqual(['default_1', 'default_5']);
    expect(await backend.tags.jobsWith('tag 0')).toHaveLength(3);
  });

  it('names the jobs of a tag, in order, however many are written at once', async () => {
    await backend.tags.add(entries(2, 1_500, HOUR));
    const found = await backend.tags.jobsWith('tag 1');
    expect(found).toHaveLength(1_500);
    expect(found).toEqual(found.toSorted());
    expect(found).toContain('default_2999');
    expect(await count()).toBe(3_000);
  });

  it('names a job for the longer of two times', async () => {
    const entry = { tag: 'twice', jobId: 'default_1' };
    await backend.tags.add([{ ...entry, ttl: HOUR }]);
    await backend.tags.add([
      { ...entry, ttl: 1 },
      { ...entry, ttl: 2 },
    ]);
    await backend.tags.add([{ tag: 'short', jobId: 'default_1', ttl: 1 }]);
    await eventually(async () => expect(await backend.tags.jobsWith('short')).toEqual([]));
    expect(await backend.tags.jobsWith('twice')).toEqual(['default_1']);
  });

  it('does not grow with what has expired, though nobody ever asks for it or uses the tag again', async () => {
    for (let round = 0; round < 20; round++) {
      await backend.tags.add([...entries(10, 5, 1), { tag: 'alive', jobId: `default_${round}`, ttl: 1 }]);
    }
    await eventually(async () => {
      await backend.tags.add([{ tag: 'alive', jobId: 'default_alive', ttl: HOUR }]);
      expect(await count()).toBe(1);
    });
    expect(await backend.tags.jobsWith('alive')).toEqual(['default_alive']);
  });

  it('writes what has expired anew while it is swept', async () => {
    await backend.tags.add(entries(10, 5, 1));
    await eventually(async () => expect(await backend.tags.jobsWith('tag 0')).toEqual([]));
    await backend.tags.add(entries(10, 5, HOUR));
    expect(await count()).toBe(50);
    expect(await backend.tags.jobsWith('tag 0')).toHaveLength(5);
  });
});
