import { jest } from '@jest/globals';
import { Injectable, type INestApplication } from '@nestjs/common';
import { task, Task, type JobContext, type JobsService, type JobStatus } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import { JobReader } from '../../libs/jobs/src/client/job-reader.js';
import { JobWatches, type SeenJob } from '../../libs/jobs/src/client/job-watches.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { backends } from '../support/backends.js';
import { EventStreamClient } from '../support/event-stream-client.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const JOBS = 250;
/** Jobs that are read together, at most. */
const TOGETHER = 100;

@Injectable()
class Prints {
  goOn = signal();
  end = signal();

  @Task({ name: 'prints.make', retry: { attempts: 1 } })
  async make(_payload: undefined, job: JobContext): Promise<void> {
    await job.log('paper is in');
    await this.goOn.reached;
    await job.progress(50);
    await job.log('a page is out');
    await this.end.reached;
    await job.log('all pages are out');
  }

  @Task({ name: 'prints.later', queue: 'later' })
  later(): void {}
}

describe.each(backends)('what clients of live status read on $name', (backend) => {
  let started: JobsApp;
  let app: INestApplication;
  let jobs: JobsService;
  let prints: Prints;

  beforeEach(async () => {
    started = await startJobsApp({
      backend,
      providers: [Prints],
      imports: [JobsHttpModule.forRoot({ authorize: () => true })],
      options: { queues: { default: {}, later: {} }, workers: { except: ['later'] }, connectTimeout: '5s' },
    });
    ({ app, jobs } = started);
    prints = app.get(Prints);
    await app.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    prints.goOn.reach();
    prints.end.reach();
    await started.close();
  });

  it('[A4] the log is read when it has other lines, and to the last one', async () => {
    const reader = app.get(JobReader, { strict: false });
    const [count, logs] = [jest.spyOn(reader, 'countLogLines'), jest.spyOn(reader, 'log')];
    const looks = async (more: number): Promise<void> => {
      const before = count.mock.calls.length;
      await eventually(() => count.mock.calls.length >= before + more);
    };
    const { id } = await jobs.enqueue(task(Prints, 'make'));
    const client = await EventStreamClient.open(`${await app.getUrl()}/jobs/${id}/events`);
    await eventually(() => client.of('log').length === 1);
    const read = logs.mock.calls.length;
    await looks(3);
    expect(logs.mock.calls).toHaveLength(read);
    prints.goOn.reach();
    await eventually(() => client.of('log').length === 2);
    prints.end.reach();
    await client.ended;
    expect(client.of('log')).toEqual(['paper is in', 'a page is out', 'all pages are out'].map((line) => ({ line })));
  });

  it('[A4] lines that cannot be read at the end are told to the client when it comes again, and the end after them', async () => {
    const reader = app.get(JobReader, { strict: false });
    const { id } = await jobs.enqueue(task(Prints, 'make'));
    const url = `${await app.getUrl()}/jobs/${id}/events`;
    const client = await EventStreamClient.open(url);
    prints.goOn.reach();
    await eventually(() => client.of('log').length === 2);
    const reading = jest.spyOn(reader, 'log').mockRejectedValue(new Error('The store is away'));
    prints.end.reach();
    await client.ended;
    expect(client.events.filter(({ id: event }) => event.endsWith('-end'))).toEqual([]);
    reading.mockRestore();
    const again = await EventStreamClient.open(url, { 'last-event-id': client.events.at(-1)!.id });
    await again.ended;
    expect(again.events.map(({ event }) => event)).toEqual(['log', 'state']);
    expect(again.events).toMatchObject([{ data: { line: 'all pages are out' } }, { data: { state: 'succeeded' } }]);
  });

  it('[A4] a log whose answer never comes holds up no client for longer than the store may take', async () => {
    const reader = app.get(JobReader, { strict: false });
    const { id } = await jobs.enqueue(task(Prints, 'make'));
    const client = await EventStreamClient.open(`${await app.getUrl()}/jobs/${id}/events`);
    await eventually(() => client.of('log').length === 1);
    const reading = jest.spyOn(reader, 'log').mockReturnValueOnce(new Promise(() => {}));
    prints.goOn.reach();
    await eventually(() => client.of('log').length === 2, { timeout: 30_000 });
    expect(reading.mock.calls.length).toBeGreaterThan(1);
  }, 40_000);

  it('[A4] many jobs are read together', async () => {
    const count = jest.spyOn(app.get(JobReader, { strict: false }), 'countLogLines');
    const watches = app.get(JobWatches, { strict: false });
    const handles = await jobs.enqueueMany(Array.from({ length: JOBS }, () => ({ task: task(Prints, 'later') })));
    const seen = new Map<string, SeenJob>();
    const stops = handles.map(({ id }) => watches.watch(id, (each) => seen.set(id, each)));
    await eventually(() => seen.size === JOBS);
    for (const { id } of handles) expect(seen.get(id)!.status).toMatchObject({ id, state: 'pending' });
    // Those after them are idle looks.
    const first = count.mock.calls.slice(0, 3).map(([ids]) => ids.length);
    expect(first).toEqual([TOGETHER, TOGETHER, JOBS - 2 * TOGETHER]);
    for (const stop of stops) stop();
    expect(watches.size).toBe(0);
  });

  it('[A4] events that are lost are made up for', async () => {
    const { id } = await jobs.enqueue(task(Prints, 'make'));
    const client = await EventStreamClient.open(`${await app.getUrl()}/jobs/${id}/events`);
    await eventually(() => expect(client.of('state').at(-1)).toMatchObject({ state: 'running' }));
    prints.goOn.reach();
    await eventually(() => client.of('progress').length === 1 && client.of('log').length === 2);
    app.get(Queues, { strict: false }).eventsOf('default').removeAllListeners('completed');
    prints.end.reach();
    await client.ended;
    expect(client.of('state').at(-1) as JobStatus).toMatchObject({ state: 'succeeded' });
  });
});
