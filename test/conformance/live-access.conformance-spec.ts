import { ModuleRef } from '@nestjs/core';
import type { JobListPage, JobsService } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { ListCursors } from '../../libs/jobs/src/http/list-cursors.js';
import { eventually } from '../support/eventually.js';
import { httpServers } from '../support/http-servers.js';
import { make, startLiveApp, type LiveApp, type LiveSettings } from '../support/live-app.js';

describe.each(httpServers)('who sees what of live status on $name', (server) => {
  let live: LiveApp;
  let jobs: JobsService;

  async function serve(settings: LiveSettings): Promise<void> {
    live = await startLiveApp(server, { ...settings, options: { workers: false, ...settings.options } });
    ({ jobs } = live);
  }
  const get = (path: string): Promise<Response> => fetch(live.url + path);
  const list = async (query: string): Promise<JobListPage> =>
    (await (await get(`/jobs?${query}`)).json()) as JobListPage;

  afterEach(() => live.close());

  it('[A2] a cursor tells nothing of jobs that are left out, and is good in each process', async () => {
    await serve({ http: { authorize: (_, job) => job.tags.includes('mine') } });
    const mine = await jobs.enqueue(make, {}, { tags: ['mine'] });
    const other = await jobs.enqueue(make, {}, { id: 'of-another-one' });
    await jobs.enqueue(make, {}, { id: 'of-a-third-one' });
    const first = await list('limit=1');
    expect(first.jobs).toEqual([]);
    const { cursor } = await list(`limit=1&cursor=${first.cursor}`);
    const bytes = Buffer.from(cursor!, 'base64url');
    for (const word of ['waiting', 'default', other.id]) expect(bytes.toString('latin1')).not.toContain(word);
    const elsewhere = new ListCursors(live.app.get(ModuleRef));
    expect(await elsewhere.open(cursor)).toBe((await jobs.list({ limit: 2 })).cursor);
    expect(await list(`limit=1&cursor=${await elsewhere.seal(await elsewhere.open(cursor))}`)).toMatchObject({
      jobs: [{ id: mine.id }],
    });
  });

  it('[A2] a cursor that was made up, or changed, is refused', async () => {
    await serve({});
    await jobs.enqueueMany(Array.from({ length: 3 }, () => ({ task: make, payload: {} })));
    const { cursor } = await list('limit=2');
    const changed = Buffer.from(cursor!, 'base64url');
    changed[changed.length - 1]! ^= 1;
    const own = (await jobs.list({ limit: 2 })).cursor!;
    for (const made of [
      own,
      changed.toString('base64url'),
      cursor!.slice(0, 30),
      'A'.repeat(4_000),
      '',
      `${cursor}&cursor=`,
    ]) {
      const response = await get(`/jobs?cursor=${made}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ message: expect.stringContaining('cursor') });
    }
  });

  it('[A2] the cursors of a store that was emptied meanwhile are known again', async () => {
    await serve({});
    await jobs.enqueueMany(Array.from({ length: 3 }, () => ({ task: make, payload: {} })));
    const elsewhere = new ListCursors(live.app.get(ModuleRef));
    await list('limit=2');
    const { ledger } = live.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    await ledger.delete('http', 'cursor-key');
    const cursor = await elsewhere.seal((await jobs.list({ limit: 2 })).cursor!);
    expect((await list(`limit=2&cursor=${cursor}`)).jobs).toHaveLength(1);
  });

  it.each(['yes', {}, [], 1, null, undefined, 0])(
    '[A2] [A4] [A6] nothing but true allows anything: an authorize function that answers %j',
    async (answer) => {
      const authorize = (() => answer) as unknown as () => boolean;
      await serve({ http: { authorize } });
      const { id } = await jobs.enqueue(make, {});
      for (const path of ['', '?wait=1s', '/events', '/tree', '/result']) {
        expect([path, (await get(`/jobs/${id}${path}`)).status]).toEqual([path, path.startsWith('/') ? 403 : 404]);
      }
      for (const [path, method] of [
        ['', 'DELETE'],
        ['/redrive', 'POST'],
      ] as const) {
        expect((await fetch(`${live.url}/jobs/${id}${path}`, { method })).status).toBe(403);
      }
      expect(await list('limit=1')).toEqual({ jobs: [] });
    },
  );

  it('[A5] of a job that is not kept any more nothing is told to whom may not see it', async () => {
    let isAllowed = false;
    await serve({
      http: { authorize: () => isAllowed, denied: 404 },
      options: { results: { keepFor: '1s' }, workers: true },
    });
    for (const step of live.reports.steps) step.reach();
    const job = await jobs.enqueue(make, {}, { id: 'invoice-4711' });
    const isGone = async (): Promise<boolean> => (await jobs.statuses([job.id]))[job.id] === null;
    await eventually(isGone);
    const statusOf = async (id: string): Promise<number> => (await get(`/jobs/${id}/result`)).status;
    expect(await statusOf(job.id)).toBe(await statusOf('default_invoice-4712'));
    isAllowed = true;
    expect(await statusOf(job.id)).toBe(410);
  });

  it.each(['state[]=failed', 'state[0]=failed', 'queue[]=default', 'limit[]=1', 'tag[x]=a', 'task[name]=a'])(
    '[A2] refuses a list with %s, which would be that of all jobs',
    async (query) => {
      await serve({});
      const response = await get(`/jobs?${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ message: expect.stringContaining(query.split('[')[0]!) });
    },
  );
});
