import { Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, Task, task, type JobContext, type JobStatus } from 'nestjs-jobs';
import { JobsHttpModule, type JobsHttpOptions } from 'nestjs-jobs/http';
import { JobWatches } from '../../libs/jobs/src/client/job-watches.js';
import { JobStreams } from '../../libs/jobs/src/http/job-streams.js';
import { backends, ownNamespace } from '../support/backends.js';
import { EventStreamClient } from '../support/event-stream-client.js';
import { eventually } from '../support/eventually.js';
import { signal } from '../support/signals.js';

@Injectable()
class Reports {
  steps = [signal(), signal()];

  @Task({ name: 'reports.make', retry: { attempts: 1 } })
  async make(payload: { fails?: boolean }, job: JobContext): Promise<string> {
    await job.stage('reading', { rows: 3 });
    await job.log('began');
    await this.steps[0]!.reached;
    await job.progress(50);
    await job.log('half of it');
    await this.steps[1]!.reached;
    if (payload.fails) throw new Error('no paper');
    return 'done';
  }
}

const make = task(Reports, 'make');
const ALLOWED: JobsHttpOptions = { authorize: () => true };

describe.each(backends)('live status on $name', (backend) => {
  let app: INestApplication;
  let url: string;
  let jobs: JobsService;
  let reports: Reports;
  const clients: EventStreamClient[] = [];

  async function serve(options: JobsHttpOptions = ALLOWED): Promise<void> {
    const module = await Test.createTestingModule({
      providers: [Reports],
      imports: [
        JobsHttpModule.forRoot(options),
        JobsModule.forRoot({ connection: backend.connection()!, namespace: ownNamespace(backend), connectTimeout: '10s' }),
      ],
    }).compile();
    app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    jobs = app.get(JobsService);
    reports = app.get(Reports);
  }
  const follow = async (id: string, headers?: Record<string, string>): Promise<EventStreamClient> => {
    const client = await EventStreamClient.open(`${url}/jobs/${id}/events`, headers);
    clients.push(client);
    return client;
  };
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(url + path, { headers });
  const states = (client: EventStreamClient): string[] => client.of('state').map((data) => (data as JobStatus).state);

  afterEach(async () => {
    for (const client of clients.splice(0)) client.leave();
    for (const step of reports.steps) step.reach();
    await app.close();
  });

  it('[A4] tells each state, stage, progress and line of the log, and ends with the job', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    const client = await follow(job.id);
    expect(client.status).toBe(200);
    expect(client.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await eventually(() => expect(client.of('log')).toEqual([{ line: 'began' }]));
    await eventually(() => client.events.length > 1);
    reports.steps[0]!.reach();
    await eventually(() => expect(client.of('log')).toEqual([{ line: 'began' }, { line: 'half of it' }]));
    await eventually(() => expect(client.of('progress')).toEqual([50]));
    reports.steps[1]!.reach();
    await client.ended;
    expect(states(client).at(-1)).toBe('succeeded');
    expect(client.of('state').at(-1)).toMatchObject({ id: job.id, result: 'done', terminal: true });
    expect(app.get(JobStreams, { strict: false }).size).toBe(0);
    expect(app.get(JobWatches, { strict: false }).size).toBe(0);
  });

  it('[A4] who comes again is told where the job stands, and only the lines that are new', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    const first = await follow(job.id);
    await eventually(() => first.of('log').length === 1);
    first.leave();
    await eventually(() => app.get(JobStreams, { strict: false }).size === 0);
    reports.steps[0]!.reach();
    const again = await follow(job.id, { 'last-event-id': first.events.at(-1)!.id });
    await eventually(() => again.of('log').length > 0);
    expect(again.of('log')).toEqual([{ line: 'half of it' }]);
    expect(states(again)[0]).toBe('running');
    reports.steps[1]!.reach();
    await again.ended;
    const last = await follow(job.id, { 'last-event-id': again.events.at(-1)!.id });
    expect(last.status).toBe(204);
  });

  it('[A4] of a job that fails', async () => {
    await serve();
    for (const step of reports.steps) step.reach();
    const job = await jobs.enqueue(make, { fails: true });
    const client = await follow(job.id);
    await client.ended;
    expect(client.of('state').at(-1)).toMatchObject({ state: 'failed', error: { message: 'no paper' } });
  });

  it('[A4] nobody who may not', async () => {
    await serve({});
    const job = await jobs.enqueue(make, {});
    expect((await follow(job.id)).status).toBe(403);
    expect((await follow('default_none')).status).toBe(403);
  });

  it('[A2] waits until the job has ended', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    const waiting = get(`/jobs/${job.id}?wait=30s`);
    await eventually(() => app.get(JobWatches, { strict: false }).size === 1);
    for (const step of reports.steps) step.reach();
    expect(await (await waiting).json()).toMatchObject({ state: 'succeeded', result: 'done' });
  });

  it('[A2] or until it is not what the client knows', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    await eventually(async () => (await job.status()).stage?.name === 'reading');
    const now = await get(`/jobs/${job.id}`);
    const etag = now.headers.get('etag')!;
    expect(now.headers.get('retry-after')).toBe('1');
    expect((await get(`/jobs/${job.id}`, { 'if-none-match': etag })).status).toBe(304);
    const waiting = get(`/jobs/${job.id}?wait=30s`, { 'if-none-match': etag });
    reports.steps[0]!.reach();
    const next = await waiting;
    expect(next.status).toBe(200);
    expect(await next.json()).toMatchObject({ state: 'running', progress: 50 });
    expect(next.headers.get('etag')).not.toBe(etag);
  });

  it('[A2] and answers what is there when the time is over', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    expect(await (await get(`/jobs/${job.id}?wait=1ms`)).json()).toMatchObject({ terminal: false });
    expect((await get(`/jobs/${job.id}?wait=soon`)).status).toBe(400);
  });

  it('[A2] nobody waits for a client that is gone', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    const watches = app.get(JobWatches, { strict: false });
    const abort = new AbortController();
    const waiting = fetch(`${url}/jobs/${job.id}?wait=30s`, { signal: abort.signal });
    await eventually(() => watches.size === 1);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await eventually(() => watches.size === 0);
  });

  it('[A4] a hundred clients of a job are one watch', async () => {
    await serve();
    const job = await jobs.enqueue(make, {});
    await Promise.all(Array.from({ length: 100 }, () => follow(job.id)));
    expect(app.get(JobStreams, { strict: false }).size).toBe(100);
    expect(app.get(JobWatches, { strict: false }).size).toBe(1);
    for (const step of reports.steps) step.reach();
    await Promise.all(clients.map(({ ended }) => ended));
    for (const client of clients) expect(states(client).at(-1)).toBe('succeeded');
  });
});
