import type { JobStatus } from 'nestjs-jobs';
import { EventStreamClient } from '../support/event-stream-client.js';
import { eventually } from '../support/eventually.js';
import { httpServers } from '../support/http-servers.js';
import { make, Reports, startLiveApp, type LiveApp, type LiveSettings } from '../support/live-app.js';

describe.each(httpServers)('live status on $name', (server) => {
  let live: LiveApp;
  let reports: Reports;
  const clients: EventStreamClient[] = [];

  async function serve(settings?: LiveSettings): Promise<void> {
    live = await startLiveApp(server, settings);
    reports = live.reports;
  }
  const follow = async (id: string, headers?: Record<string, string>): Promise<EventStreamClient> => {
    const client = await EventStreamClient.open(`${live.url}/jobs/${id}/events`, headers);
    clients.push(client);
    return client;
  };
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(live.url + path, { headers });
  const states = (client: EventStreamClient): string[] => client.of('state').map((data) => (data as JobStatus).state);

  afterEach(async () => {
    for (const client of clients.splice(0)) client.leave();
    await live.close();
  });

  it('[A4] tells each state, stage, progress and line of the log, and ends with the job', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
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
    expect(live.streams.size).toBe(0);
    expect(live.watches.size).toBe(0);
  });

  it('[A4] who comes again is told where the job stands, and only the lines that are new', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const first = await follow(job.id);
    await eventually(() => first.of('log').length === 1);
    first.leave();
    await eventually(() => live.streams.size === 0);
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
    const job = await live.jobs.enqueue(make, { fails: true });
    const client = await follow(job.id);
    await client.ended;
    expect(client.of('state').at(-1)).toMatchObject({ state: 'failed', error: { message: 'no paper' } });
  });

  it('[A4] nobody who may not', async () => {
    await serve({ http: {} });
    const job = await live.jobs.enqueue(make, {});
    expect((await follow(job.id)).status).toBe(403);
    expect((await follow('default_none')).status).toBe(403);
  });

  it('[A2] waits until the job has ended', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const waiting = get(`/jobs/${job.id}?wait=30s`);
    await eventually(() => live.watches.size === 1);
    for (const step of reports.steps) step.reach();
    expect(await (await waiting).json()).toMatchObject({ state: 'succeeded', result: 'done' });
  });

  it('[A2] or until it is not what the client knows', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
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
    const job = await live.jobs.enqueue(make, {});
    expect(await (await get(`/jobs/${job.id}?wait=1ms`)).json()).toMatchObject({ terminal: false });
    expect((await get(`/jobs/${job.id}?wait=soon`)).status).toBe(400);
  });

  it('[A2] nobody waits for a client that is gone', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const { watches, url } = live;
    const abort = new AbortController();
    const waiting = fetch(`${url}/jobs/${job.id}?wait=30s`, { signal: abort.signal });
    await eventually(() => watches.size === 1);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await eventually(() => watches.size === 0);
  });

  it('[A4] a hundred clients of a job are one watch', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    await Promise.all(Array.from({ length: 100 }, () => follow(job.id)));
    expect(live.streams.size).toBe(100);
    expect(live.watches.size).toBe(1);
    for (const step of reports.steps) step.reach();
    await Promise.all(clients.map(({ ended }) => ended));
    for (const client of clients) expect(states(client).at(-1)).toBe('succeeded');
  });

  it('[A4] of a pending job tells once how many are before it', async () => {
    await serve({ options: { workers: false } });
    await live.jobs.enqueue(make, {});
    const job = await live.jobs.enqueue(make, {});
    const client = await follow(job.id);
    await eventually(() => client.of('state').length > 0);
    expect(client.of('state')).toEqual([expect.objectContaining({ state: 'pending', position: 1 })]);
    const response = await get(`/jobs/${job.id}`);
    expect(await response.json()).toMatchObject({ state: 'pending', position: 1 });
    await live.jobs.purge('default');
    await client.ended;
    expect(client.events.map(({ event }) => event)).toEqual(['state', 'gone']);
    const again = await live.jobs.enqueue(make, {});
    const etag = (await get(`/jobs/${again.id}`)).headers.get('etag')!;
    await live.jobs.enqueue(make, {}, { priority: 9 });
    // Nothing has become of it.
    expect((await get(`/jobs/${again.id}`, { 'if-none-match': etag })).status).toBe(304);
  });

  it.each(['garbage', '-1', '12garbage', '999999999', '999999999999999999', 'friend', '1-end', ''])(
    '[A4] whatever the last event is said to have been, nothing is kept back: %j',
    async (lastEventId) => {
      await serve();
      const job = await live.jobs.enqueue(make, {});
      await eventually(async () => (await live.jobs.queue('default').getJobLogs(job.id)).count === 1);
      const client = await follow(job.id, { 'last-event-id': lastEventId });
      expect(client.status).toBe(200);
      for (const step of reports.steps) step.reach();
      await client.ended;
      const lines = [{ line: 'began' }, { line: 'half of it' }];
      expect(client.of('log')).toEqual(lastEventId === '1-end' ? lines.slice(1) : lines);
      expect(states(client).at(-1)).toBe('succeeded');
    },
  );

  it('[A4] HEAD is answered at once, and opens no stream', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const head = (path: string): Promise<Response> => fetch(live.url + path, { method: 'HEAD' });
    const events = await head(`/jobs/${job.id}/events`);
    expect(events.status).toBe(200);
    expect(events.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(live.streams.size).toBe(0);
    const status = await head(`/jobs/${job.id}`);
    expect([status.status, await status.text()]).toEqual([200, '']);
  });

  it('[A4] keeps the headers that were set before, as those of CORS', async () => {
    await serve({ configure: (app) => app.enableCors({ origin: 'https://app.example', credentials: true }) });
    const job = await live.jobs.enqueue(make, {});
    const client = await follow(job.id, { origin: 'https://app.example' });
    expect(client.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(client.headers.get('access-control-allow-credentials')).toBe('true');
    expect(client.headers.get('cache-control')).toBe('no-cache, no-transform');
    for (const step of reports.steps) step.reach();
    await client.ended;
    const { id } = client.events.at(-1)!;
    const last = await follow(job.id, { origin: 'https://app.example', 'last-event-id': id });
    expect(last.status).toBe(204);
    expect(last.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });

  it('[A4] [A6] an authorize function that fails opens nothing', async () => {
    await serve({ http: { authorize: () => Promise.reject(new Error('the directory is away')) } });
    const job = await live.jobs.enqueue(make, {});
    for (const path of ['', '/events', '/tree', '?wait=30s']) {
      const response = await get(`/jobs/${job.id}${path}`);
      expect([path, response.status]).toEqual([path, 500]);
      expect(await response.text()).not.toContain('directory');
    }
    expect([live.streams.size, live.polls.size, live.watches.size]).toEqual([0, 0, 0]);
  });

  it.each(['-1s', 'soon', '', '1s&wait=2s', '1e999', 'x'.repeat(200), '%00'])(
    '[A2] refuses to wait for what is no time: %j',
    async (wait) => {
      await serve();
      const job = await live.jobs.enqueue(make, {});
      expect((await get(`/jobs/${job.id}?wait=${wait}`)).status).toBe(400);
    },
  );

  it('[A2] waits as long as it may when it is asked for more', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const waiting = ['999999', '99999999999999', '10y'].map((wait) => get(`/jobs/${job.id}?wait=${wait}`));
    await eventually(() => live.polls.size === 3);
    for (const step of reports.steps) step.reach();
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
    expect(live.polls.size).toBe(0);
  });

  it('[A2] knows a status again in a list, as a strong tag, and by an id in other signs', async () => {
    await serve();
    for (const step of reports.steps) step.reach();
    const job = await live.jobs.enqueue(make, {});
    await job.result();
    const etag = (await get(`/jobs/${job.id}`)).headers.get('etag')!;
    const strong = etag.replace('W/', '');
    for (const known of [etag, strong, `"other", ${etag}`, `W/"a",${strong} , "b"`, '*']) {
      expect((await get(`/jobs/${job.id}`, { 'if-none-match': known })).status).toBe(304);
    }
    for (const other of ['"other"', strong.slice(1, -1), 'W/']) {
      expect((await get(`/jobs/${job.id}`, { 'if-none-match': other })).status).toBe(200);
    }
    const encoded = Buffer.from(job.id).toString('hex').replace(/../g, '%$&');
    expect(await (await get(`/jobs/${encoded}`)).json()).toMatchObject({ id: job.id });
    expect([400, 404]).toContain((await get('/jobs/%E0%A4%A')).status);
  });
});
