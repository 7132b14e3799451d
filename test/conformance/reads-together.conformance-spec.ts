import { jest } from '@jest/globals';
import { task } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { SqlPool } from '../../libs/jobs/src/backend/sql/sql-pool.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Work } from '../support/work.js';

const JOBS = 300;

describe.each(backends)('many jobs that are looked at together on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const options = { queues: { narrow: {}, single: {}, default: { concurrency: 8 } } };
    started = await startJobsApp({ backend, providers: [Work], options });
  });
  afterAll(() => started?.close());

  it('[A2] each get their own status, and in SQL a statement reads a hundred of them', async () => {
    const { jobs } = started;
    const entries = Array.from({ length: JOBS }, (_, n) => ({ task: task(Work, 'echo'), payload: n }));
    const handles = await jobs.enqueueMany(entries);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(entries.map(({ payload }) => payload));
    const sql = started.app.get<{ pool?: SqlPool }>(QUEUE_BACKEND).pool;
    expect(sql === undefined).toBe(backend.name === 'redis');
    const query = sql && jest.spyOn(sql, 'query');
    const ids = [...handles.map(({ id }) => id), 'default_unknown', handles[0]!.id];
    const statuses = await jobs.statuses(ids);
    expect(Object.keys(statuses)).toHaveLength(JOBS + 1);
    expect(statuses['default_unknown']).toBeNull();
    for (const [n, { id }] of handles.entries())
      expect(statuses[id]).toMatchObject({ id, state: 'succeeded', result: n });
    // Workers and the watchdog ask too; what names none of these jobs is theirs.
    const ours = query?.mock.calls.filter((call) => JSON.stringify(call).includes('default_')) ?? [];
    // When BullMQ reads a job by another statement, this is where it shows.
    expect(ours.length).toBeLessThanOrEqual(Math.ceil((2 * (JOBS + 2)) / 100));
    expect(ours.length > 0).toBe(sql !== undefined);
    query?.mockRestore();
  });
});
