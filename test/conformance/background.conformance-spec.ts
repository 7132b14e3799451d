import { Injectable } from '@nestjs/common';
import { BackgroundWorkRefusedError, JobContext, JobsService, Task, task, type JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { Database, DatabaseModule } from '../support/closing-database.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Mails {
  static told: Signal<unknown>;

  constructor(private readonly jobs: JobsService) {}

  @Task({ name: 'mails.send' })
  send(to: string): string {
    return `sent to ${to}`;
  }

  /** Ends before what it starts, which waits for another job: a task itself must not. */
  @Task({ name: 'mails.send-and-tell' })
  sendAndTell(): void {
    this.jobs.background(async () => {
      const context = JobContext.current();
      const job = await this.jobs.enqueue(task(Mails, 'send'), 'b@example.com');
      Mails.told.reach({ context, result: await job.result(), status: await job.status() });
    });
  }
}

describe.each(backends)('background work on $name', (backend) => {
  const apps: JobsApp[] = [];

  async function start(settings: Partial<JobsAppSettings> = {}): Promise<JobsApp> {
    const app = await startJobsApp({ backend, providers: [Mails], imports: [DatabaseModule], ...settings });
    apps.push(app);
    return app;
  }

  beforeEach(() => {
    Database.log = [];
    Mails.told = signal<unknown>();
  });
  afterEach(async () => {
    for (const { close } of apps.splice(0)) await close();
  });

  it('[C10] is waited for at shutdown, while modules and queues are still there; later work is refused', async () => {
    const { jobs, close } = await start();
    const [begun, open] = [signal(), signal()];
    const enqueued = signal<JobStatus>();
    jobs.background(async () => {
      begun.reach();
      await open.reached;
      const job = await jobs.enqueue(task(Mails, 'send'), 'a@example.com');
      enqueued.reach(await job.status());
      Database.log.push('work done');
    });
    await begun.reached;
    const closed = close();
    open.reach();
    await closed;
    expect(Database.log).toEqual(['work done', 'database closed']);
    expect(await enqueued.reached).toMatchObject({ task: 'mails.send' });
    expect(() => jobs.background(() => Database.log.push('too late'))).toThrow(BackgroundWorkRefusedError);
    expect(Database.log).toHaveLength(2);
  });

  it('[C10] is told when the grace is over, and then not waited for', async () => {
    const logger = new MemoryLogger();
    const { jobs, close } = await start({ logger, options: { shutdown: { grace: 50 } } });
    const [obeys, ignores] = [signal<unknown>(), signal()];
    jobs.background((aborted) => {
      aborted.addEventListener('abort', () => obeys.reach(aborted.reason));
      return obeys.reached;
    });
    jobs.background(() => ignores.reached);
    await close();
    expect(await obeys.reached).toMatchObject({ message: expect.stringContaining('shuts down') });
    expect(logger.text()).toContain('Background work that is not done and ends with the process: 1');
    expect(Database.log).toEqual(['database closed']);
    ignores.reach();
  });

  it('[C10] does not belong to the task that starts it', async () => {
    const { jobs } = await start();
    const job = await jobs.enqueue(task(Mails, 'sendAndTell'));
    await job.result();
    const told = (await Mails.told.reached) as { context: unknown; result: string; status: JobStatus };
    expect(told).toMatchObject({ context: undefined, result: 'sent to b@example.com' });
    expect(told.status.rootId ?? told.status.id).toBe(told.status.id);
  });

  it('[C10] that fails is logged, and nothing else', async () => {
    const logger = new MemoryLogger();
    const { jobs, close } = await start({ logger });
    const failing = signal();
    jobs.background(async () => {
      failing.reach();
      throw new TypeError('no mail today');
    });
    await failing.reached;
    await close();
    expect(logger.text()).toContain('Background work failed. TypeError: no mail today');
  });
});
