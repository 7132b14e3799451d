import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { JobsClosedError, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
import { BackendUnavailableError } from '../../libs/jobs/src/backend/backend.errors.js';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { Census } from '../../libs/jobs/src/census/census.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { freePort } from '../support/services/free-port.mjs';
import { signal } from '../support/signals.js';

const MINUTE = 60_000;

@Injectable()
class Idle {
  @Task()
  nothing(): void {}
}

const nothing = task(Idle, 'nothing');

/** How often a process counts. */
function spyOn(app: JobsApp): jest.SpiedFunction<QueueBackend['figures']['read']> {
  return jest.spyOn(app.app.get<QueueBackend>(QUEUE_BACKEND).figures, 'read');
}

describe.each(backends)('figures in the memory of a process on $name', (backend) => {
  let started: JobsApp;
  let census: Census;
  beforeEach(async () => {
    started = await startJobsApp({ backend, providers: [Idle], options: { workers: false } });
    census = started.app.get(Census);
  });
  afterEach(() => started?.close());

  it('[M2] answers from memory what is young enough, and counts what has to be of now', async () => {
    const reads = spyOn(started);
    const first = await census.read(MINUTE);
    await started.jobs.enqueue(nothing);
    expect(await census.read(MINUTE)).toBe(first);
    expect(reads).toHaveBeenCalledTimes(1);
    const now = await census.read(0);
    expect(now.queues[0]).toMatchObject({ queue: 'default', waiting: 1 });
    expect(await census.read(MINUTE)).toBe(now);
    expect(reads).toHaveBeenCalledTimes(2);
  });

  it('[M2] keeps figures fresh for whoever asked for them, so that nobody waits', async () => {
    const first = await census.read(500);
    await started.jobs.enqueue(nothing);
    await eventually(
      async () => {
        const later = await census.read(MINUTE);
        expect(later.at).toBeGreaterThan(first.at);
        expect(later.queues[0]).toMatchObject({ waiting: 1 });
      },
      { timeout: 30_000 },
    );
  });

  it('[M2] does not make old figures do for long because counting was slow once', async () => {
    const { figures } = started.app.get<QueueBackend>(QUEUE_BACKEND);
    const count = figures.read.bind(figures);
    await census.read(0);
    const slow = signal();
    jest.spyOn(figures, 'read').mockImplementationOnce(async (question) => {
      await pause(1_500);
      const read = await count(question);
      slow.reach();
      return read;
    });
    await census.read(50);
    await slow.reached;
    await started.jobs.enqueue(nothing);
    // Of the second and a half, a twenty-fifth of the time would be more than half a minute.
    await eventually(async () => expect((await census.read(50)).queues[0]).toMatchObject({ waiting: 1 }), {
      timeout: 20_000,
    });
  });

  it('[M2] counts once for all who ask at once', async () => {
    const reads = spyOn(started);
    const asked = await Promise.all(Array.from({ length: 20 }, () => census.read(MINUTE)));
    expect(new Set(asked).size).toBe(1);
    expect(reads).toHaveBeenCalledTimes(1);
  });

  it('[M2] counts again for whoever comes while it counts, and once for all of those', async () => {
    const reads = spyOn(started);
    const asked = Array.from({ length: 10 }, () => census.read(0));
    const [begun, ...others] = await Promise.all(asked);
    expect(new Set(others).size).toBe(1);
    expect(others[0]).not.toBe(begun);
    expect(reads).toHaveBeenCalledTimes(2);
  });

  it('[M2] stops when the app is closed', async () => {
    await census.read(200);
    await started.close();
    const reads = spyOn(started);
    await expect(census.read(0)).rejects.toThrow(JobsClosedError);
    expect(reads).not.toHaveBeenCalled();
  });
});

// An embedded store has one process at a time, and `describe.each` refuses an empty table.
const serverBackends = backends.filter(({ name }) => name !== 'embedded');
if (serverBackends.length > 0) {
  describe.each(serverBackends)('figures of a fleet on $name', (backend) => {
    const apps: JobsApp[] = [];
    const start = async (options: JobsModuleOptions): Promise<JobsApp> => {
      const app = await startJobsApp({ backend, providers: [Idle], options: { workers: false, ...options } });
      apps.push(app);
      return app;
    };
    afterEach(async () => void (await Promise.all(apps.splice(0).map((app) => app.close()))));

    it('[M2] are counted by one process for all that have the same queues', async () => {
      const options = { namespace: uniqueNamespace() };
      const [one, two, three] = [
        await start(options),
        await start(options),
        await start({ ...options, queues: { b: {} } }),
      ];
      const reads = [one, two, three].map(spyOn);
      const asked = await Promise.all([one, two, one, two].map((app) => app!.app.get(Census).read(MINUTE)));
      expect(new Set(asked.map(({ at }) => at)).size).toBe(1);
      expect(reads[0]!.mock.calls.length + reads[1]!.mock.calls.length).toBe(1);
      const others = await three!.app.get(Census).read(MINUTE);
      expect(others.queues.map(({ queue }) => queue)).toEqual(['default', 'b']);
      expect(reads[2]).toHaveBeenCalledTimes(1);
    });

    it('[M2] come from another process as long as they are young enough', async () => {
      const options = { namespace: uniqueNamespace() };
      const [one, two] = [await start(options), await start(options)];
      const first = await one!.app.get(Census).read(0);
      await one!.jobs.enqueue(nothing);
      const reads = spyOn(two!);
      expect(await two!.app.get(Census).read(MINUTE)).toEqual(first);
      expect(reads).not.toHaveBeenCalled();
      await eventually(
        async () => {
          const { queues } = await two!.app.get(Census).read(300);
          expect(queues[0]).toMatchObject({ waiting: 1 });
        },
        { timeout: 30_000 },
      );
    });

    it('[M2] are counted by another process when the one that was to has died', async () => {
      const options = { namespace: uniqueNamespace(), connectTimeout: 500 };
      const [dead, other] = [await start(options), await start(options)];
      const store = dead!.app.get<QueueBackend>(QUEUE_BACKEND);
      const [asked, end] = [signal(), signal()];
      const read = store.figures.read.bind(store.figures);
      jest.spyOn(store.figures, 'read').mockImplementation(async (question) => {
        asked.reach();
        await end.reached;
        return read(question);
      });
      const late = dead!.app.get(Census).read(MINUTE);
      await asked.reached;
      expect((await other!.app.get(Census).read(MINUTE)).queues).toHaveLength(1);
      // It was not dead: what takes longer than an answer may is waited for, as long as the store answers.
      end.reach();
      expect((await late).queues).toHaveLength(1);
    });

    it('[M2] are refused while the store is away', async () => {
      const port = await freePort();
      const url = `${backend.name}://127.0.0.1:${port}/none`;
      const away = await start({
        connection: backend.name === 'redis' ? `redis://127.0.0.1:${port}` : url,
        connectTimeout: 300,
      });
      const census = away.app.get(Census);
      for (const maxAge of [0, 50, MINUTE]) await expect(census.read(maxAge)).rejects.toThrow(BackendUnavailableError);
      const all = await Promise.allSettled([census.read(0), census.read(50), census.read(MINUTE)]);
      expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    });
  });
}
