import type { Queue, QueueEvents } from 'bullmq';
import { Injectable } from '@nestjs/common';
import { Task, task } from 'nestjs-jobs';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { CrashTasks } from '../fixtures/crash-tasks.js';
import { backends, uniqueNamespace, type TestBackend } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { sized } from '../support/test-form.js';

const JOBS = sized(1_500, 600);
/** One after the other takes long, and no two of those end beside each other. */
const ENDS = [
  [sized(1_500, 200), 1],
  [JOBS, 8],
  [JOBS, 32],
] as const;

/** Adds jobs and gives their ids, in batches as a busy producer would. */
async function addJobs(queue: Queue, count: number, prefix: string): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
  for (let from = 0; from < count; from += 100) {
    await queue.addBulk(ids.slice(from, from + 100).map((jobId) => ({ name: 'job', data: {}, opts: { jobId } })));
  }
  return ids;
}

/** Every `completed` that a stream tells, counted by job. */
function countCompleted(events: QueueEvents): Map<string, number> {
  const completed = new Map<string, number>();
  events.on('completed', ({ jobId }) => completed.set(jobId, (completed.get(jobId) ?? 0) + 1));
  return completed;
}

/** The stream is read from its end: an event of a first job shows that the reading has begun. */
async function untilReading(queue: Queue, completed: Map<string, number>): Promise<void> {
  await eventually(async () => {
    await queue.add('first', {});
    expect(completed.size).toBeGreaterThan(0);
  });
}

async function expectEachOnce(completed: Map<string, number>, ids: string[]): Promise<void> {
  await eventually(() => expect(ids.filter((id) => !completed.has(id))).toEqual([]), { timeout: 30_000 });
  expect(ids.filter((id) => completed.get(id) !== 1)).toEqual([]);
}

@Injectable()
class Squares {
  @Task()
  square(n: number): number {
    return n * n;
  }
}

async function openTestBackend(backend: TestBackend, namespace: string): Promise<QueueBackend> {
  const options = resolveOptions({ connection: backend.connection()!, namespace });
  const opened = await openBackend(options, new MemoryLogger());
  await opened.whenReady(5_000);
  return opened;
}

describe.each(backends)('events on $name', (testBackend) => {
  it.each(ENDS)('[A2] tell of all of %i ends, each once, at concurrency %i', async (count, concurrency) => {
    const backend = await openTestBackend(testBackend, uniqueNamespace());
    const queue = backend.createQueue('ends');
    const events = backend.createQueueEvents('ends');
    const completed = countCompleted(events);
    const worker = backend.createWorker('ends', async (_job, _token) => null, { concurrency, lease: 30_000 });
    const running = worker.run();
    await untilReading(queue, completed);
    // On Postgres BullMQ alone loses events of jobs that end beside each other, seldom enough to pass once by luck.
    const runs = testBackend.name === 'postgres' && concurrency > 1 ? sized(10, 5) : 1;
    for (let run = 0; run < runs; run++) {
      await expectEachOnce(completed, await addJobs(queue, count, `run${run}`));
    }
    await worker.close();
    await running;
    await Promise.all([events.close(), queue.close()]);
    await backend.close(5_000);
  });

  it('[A2] 500 results that are waited for at once all come', async () => {
    const { jobs, close } = await startJobsApp({ backend: testBackend, providers: [Squares] });
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    const square = task(Squares, 'square');
    const entries = numbers.map((n) => ({ task: square, payload: n, options: { delay: 50 } }));
    const handles = await jobs.enqueueMany(entries);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(numbers.map((n) => n * n));
    await close();
  });
});

const servers = backends.filter(({ name }) => name !== 'embedded');

// `describe.each` refuses an empty table, and embedded has but one process.
if (servers.length > 0) {
  describe.each(servers)('events on $name of two worker processes', (testBackend) => {
    it(`[A2] tell of ${JOBS} of ${JOBS} ends, each once`, async () => {
      const namespace = uniqueNamespace();
      const env = { CRASH_CONNECTION: JSON.stringify(testBackend.connection()), CRASH_NAMESPACE: namespace };
      const workers = [1, 2].map(() => spawnFixture('crash-worker', { env }));
      const producer = await startJobsApp({
        backend: testBackend,
        providers: [CrashTasks],
        options: { namespace, workers: false },
      });
      const backend = await openTestBackend(testBackend, namespace);
      const events = backend.createQueueEvents('default');
      const completed = countCompleted(events);
      for (const worker of workers) await worker.waitForLine(/^READY$/);
      await eventually(async () => {
        await producer.jobs.enqueue(task(CrashTasks, 'double'), { n: 0 });
        expect(completed.size).toBeGreaterThan(0);
      });
      const runs = testBackend.name === 'postgres' ? 3 : 1;
      for (let run = 0; run < runs; run++) {
        const ids: string[] = [];
        const produce = async (): Promise<void> => {
          while (ids.length < JOBS) {
            const n = ids.length;
            ids.push('');
            ids[n] = (await producer.jobs.enqueue(task(CrashTasks, 'double'), { n })).id;
          }
        };
        await Promise.all(Array.from({ length: 32 }, produce));
        await expectEachOnce(completed, ids);
      }
      await events.close();
      await backend.close(5_000);
      await producer.close();
      await Promise.all(workers.map((worker) => worker.kill('SIGTERM')));
    });
  });
}
