import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { chain, chord, group, JobNotFoundError, type JobTree } from 'nestjs-jobs';
import { JobsHttpModule, type JobsHttpOptions } from 'nestjs-jobs/http';
import request from 'supertest';
import { JobReader } from '../../libs/jobs/src/client/job-reader.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { add, fail, number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;
const ABSENT = 'default_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11';

/** A tree as its tasks and states, each with what is below it. */
function brief({ task, state, children }: JobTree): unknown {
  const own = `${task.replace('Sums.', '')} ${state}`;
  return children.length === 0 ? own : [own, ...children.map(brief)];
}

describe.each(backends)('the tree of a canvas on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums] });
  });
  afterAll(() => app?.close());

  it('[V9] shows each part below the one that waits for it, members in their order', async () => {
    const canvas = chain(
      chord([number.s(3), chain(number.s(4), number.s())], xsum.s()),
      add.s({ x: 1 }, { into: 'y' }),
    );
    const started = await app.jobs.start(canvas);
    expect(await started.result(WAIT)).toBe(8);
    const tree = await app.jobs.job(started.id).tree();
    expect(brief(tree)).toEqual([
      'add succeeded',
      ['xsum succeeded', 'number succeeded', ['number succeeded', 'number succeeded']],
    ]);
    expect(tree).toMatchObject({ id: started.id, queue: 'default', attempt: 1, startedAt: expect.any(String) });
  });

  it('[V9] leaves out the jobs that add members, and shows what these waited for', async () => {
    const plus = add.s({ y: 1 }, { into: 'x' });
    const started = await app.jobs.start(chain(number.s(1), group([plus, plus]), xsum.s()));
    expect(await started.result(WAIT)).toBe(4);
    expect(brief(await started.tree())).toEqual([
      'xsum succeeded',
      'number succeeded',
      'add succeeded',
      'add succeeded',
    ]);
  });

  it('[V7] tells which part failed, and which ones along with it', async () => {
    const started = await app.jobs.start(chain(fail.s({ message: 'no' }), number.s(), number.s()));
    await expect(started.result(WAIT)).rejects.toMatchObject({ error: { message: 'no', code: 'ON_PURPOSE' } });
    const tree = await started.tree();
    expect(brief(tree)).toEqual(['number failed', ['number failed', 'fail failed']]);
    const failed = tree.children[0]!.children[0]!;
    expect(tree).toMatchObject({ failedJob: failed.id, error: { message: 'no' } });
    expect(failed).not.toHaveProperty('failedJob');
  });

  it('[V9] shows a hundred members of a large group, and how many more there are', async () => {
    const members = Array.from({ length: 250 }, (_, n) => number.s(n));
    const started = await app.jobs.start(group(members));
    await started.result(WAIT);
    const { children, more } = await started.tree();
    expect([children.length, more]).toEqual([100, 150]);
  });

  it('[V9] of a deep canvas is read to its end, as long as the store answers each time', async () => {
    const slow = await startJobsApp({
      backend,
      providers: [Sums],
      options: { connectTimeout: '3s', workers: false },
    });
    const started = await slow.jobs.start(chain(number.s(1), number.s(), number.s(), number.s()));
    const reader = slow.app.get(JobReader, { strict: false });
    const find = reader.find.bind(reader);
    jest.spyOn(reader, 'find').mockImplementation(async (queue, id) => {
      await sleep(1_000);
      return find(queue, id);
    });
    expect(brief(await started.tree())).toEqual([
      'number blocked',
      ['number blocked', ['number blocked', 'number pending']],
    ]);
    await slow.close();
  });

  it('[V9] is that of any job', async () => {
    const { id } = await app.jobs.enqueue(number, 1);
    expect(await app.jobs.job(id).tree()).toMatchObject({ id, task: 'Sums.number', children: [] });
    await expect(app.jobs.job(ABSENT).tree()).rejects.toThrow(JobNotFoundError);
  });
});

describe.each(backends)('canvases over HTTP on $name', (backend) => {
  const serve = async (options?: JobsHttpOptions): Promise<JobsApp & { http: ReturnType<typeof request> }> => {
    const started = await startJobsApp({ backend, providers: [Sums], imports: [JobsHttpModule.forRoot(options)] });
    await started.app.listen(0, '127.0.0.1');
    return { ...started, http: request(await started.app.getUrl()) };
  };

  it('[V9] GET /jobs/:id/tree is closed until authorize opens it', async () => {
    const { http, jobs, close } = await serve();
    const { id } = await jobs.start(chord([number.s(1)], xsum.s()));
    await http.get(`/jobs/${id}/tree`).expect(403);
    await close();
  });

  it('[V9] GET /jobs/:id/tree shows the parts to whom authorize lets', async () => {
    const { http, jobs, close } = await serve({
      authorize: (_, job, action) => action !== 'tree' || job.tags[0] === 'mine',
    });
    const mine = await jobs.start(chord([number.s(1), number.s(2)], xsum.s()), { tags: ['mine'] });
    const other = await jobs.start(chord([number.s(1)], xsum.s()));
    await mine.result(WAIT);
    const { body } = await http.get(`/jobs/${mine.id}/tree`).expect(200);
    expect(brief(body as JobTree)).toEqual(['xsum succeeded', 'number succeeded', 'number succeeded']);
    await http.get(`/jobs/${other.id}/tree`).expect(403);
    await http.get(`/jobs/${ABSENT}/tree`).expect(404);
    await close();
  });

  it('[A6] DELETE /jobs/:id cancels the whole canvas', async () => {
    const { http, jobs, close } = await serve({ authorize: () => true });
    const waiting = number.s(1).set({ delay: '1h' });
    const started = await jobs.start(chain(chord([waiting, waiting], xsum.s()), number.s()));
    await http.delete(`/jobs/${started.id}`).expect(202, { cancelled: true });
    await expect(started.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
    for (const member of started.parent!.children) expect(await member.status()).toMatchObject({ state: 'cancelled' });
    await close();
  });
});
