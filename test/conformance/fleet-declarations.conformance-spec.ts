import { Injectable } from '@nestjs/common';
import { RateLimited, Task } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { readDeclarations } from '../../libs/jobs/src/fleet/known-declarations.js';
import { WorkerPresence } from '../../libs/jobs/src/worker/worker-presence.js';
import { backends, type TestBackend } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Limited {
  @Task()
  @RateLimited({ name: 'crm', limit: '100/m', burst: 5 })
  run(): void {}
}

/** What is known when nothing is said. */
const NOTHING_SAID = { results: { store: false } };

describe.each(backends)('what processes declare, on $name', (backend) => {
  let started: JobsApp;
  let store: QueueBackend;

  beforeEach(async () => {
    started = await startApp(backend);
    store = started.app.get<QueueBackend>(QUEUE_BACKEND);
    await store.whenReady(10_000);
  });
  afterEach(() => started.close());

  it('[M4] is in the store: queues, limits, and what is one value for the fleet', async () => {
    await started.app.get(WorkerPresence).tell();

    const { queues, limits, options } = await readDeclarations(store.ledger);
    expect(queues).toEqual(['bulk', 'critical', 'main']);
    expect(Object.fromEntries(limits)).toEqual({
      crm: { limit: 100, period: 60_000, burst: 5, algorithm: 'token-bucket' },
      'queue:bulk': { limit: 5, period: 1_000, burst: 5, algorithm: 'token-bucket' },
    });
    expect(options).toEqual({
      defaultQueue: 'main',
      lease: 20_000,
      unknownTaskGrace: 60_000,
      payload: { maxSize: 1_024 },
      results: { keepFor: 3_600_000, keepFailedFor: 7_200_000, store: false },
    });
  });

  it('[M4] has limits of code as soon as they are used', async () => {
    const { jobs, app } = started;
    await jobs.limits.consume({ name: 'api', limit: '7/s' });
    await app.get(WorkerPresence).tell();
    expect((await readDeclarations(store.ledger)).limits.get('api')).toMatchObject({ limit: 7, period: 1_000 });
  });

  it('[M4] is written once while nothing changes', async () => {
    const presence = started.app.get(WorkerPresence);
    await presence.tell();
    for (const [collection, key] of [
      ['declared-queues', 'bulk'],
      ['declared-limits', 'crm'],
      ['declared-options', 'fleet'],
    ] as const) {
      expect(await store.ledger.delete(collection, key)).toBe(true);
    }
    await presence.tell();
    const { limits, options } = await readDeclarations(store.ledger);
    expect([limits.has('crm'), options]).toEqual([false, { defaultQueue: 'critical', ...NOTHING_SAID }]);
  });

  it('[M4] leaves out what is not understood', async () => {
    const { ledger } = store;
    const { app } = started;
    await app.get(WorkerPresence).tell();
    await ledger.put('declared-queues', 'No Queue', {});
    await ledger.put('declared-queues', 'jobs-internal', {});
    await ledger.put('declared-limits', 'odd', { limit: -1 });
    await ledger.put('declared-limits', 'odder', 'x');
    await ledger.put('declared-options', 'fleet', {
      lease: 'long',
      // More than a timer, or the store, can measure.
      unknownTaskGrace: 2 ** 31,
      keepFor: 1e300,
      defaultQueue: 'gone',
      results: { files: '/nowhere' },
    });

    const { queues, limits, options } = await readDeclarations(ledger);
    expect(queues).toEqual(['bulk', 'critical', 'main']);
    expect([...limits.keys()]).toEqual(['crm', 'queue:bulk']);
    expect(options).toEqual({ defaultQueue: 'bulk', ...NOTHING_SAID });
  });
});

function startApp(backend: TestBackend): Promise<JobsApp> {
  return startJobsApp({
    backend,
    providers: [Limited],
    options: {
      queues: { bulk: { rateLimit: '5/s' }, critical: {} },
      defaultQueue: 'main',
      workers: { only: ['critical'] },
      lease: '20s',
      unknownTaskGrace: '1m',
      payload: { maxSize: '1kb' },
      results: { keepFor: '1h', keepFailedFor: '2h', store: false },
    },
  });
}
