import { Injectable } from '@nestjs/common';
import type { PostgresConnection, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  DeadLetterNotFoundError,
  DeadLetters,
  JobContext,
  JobNotFoundError,
  NonRetryableError,
  Task,
  task,
  type DeadLetterFilter,
  type JobHandle,
} from 'nestjs-jobs';
import { backends, redisUrl } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

interface Run {
  id: string;
  n: number;
  headers: Readonly<Record<string, string>>;
  tags: readonly string[];
}

@Injectable()
class Fragile {
  static broken = true;
  static runs: Run[] = [];

  @Task({ name: 'mail.send', retry: { attempts: 2, delay: 1 } })
  send(payload: { n: number; list: [] }, job: JobContext): number {
    Fragile.runs.push({ id: job.id, n: payload.n, headers: job.headers, tags: job.tags });
    if (!Fragile.broken) return payload.n;
    const cause = new RangeError('the line is too long');
    throw Object.assign(new TypeError(`broken ${payload.n}`, { cause }), { code: 'E_BROKEN' });
  }

  @Task({ name: 'mail.refuse', queue: 'other' })
  refuse(): never {
    throw new NonRetryableError('no use');
  }

  @Task({ name: 'report.make' })
  make(): never {
    throw new NonRetryableError('no paper');
  }
}

const send = task(Fragile, 'send');
const refuse = task(Fragile, 'refuse');
const make = task(Fragile, 'make');

/** Has all failed jobs of a queue end in one millisecond, as those of a batch do on a machine that is quick enough. */
async function endTogether(queue: Queue, at: number): Promise<void> {
  if (backendOf(queue).connection?.pool) {
    const sql = "UPDATE job SET finished_at_ms = $2 WHERE queue = $1 AND state = 'failed'";
    await backendOf(queue).connection!.pool.query(sql, [queue.name, at]);
    return;
  }
  const client = new Redis(redisUrl());
  for (const id of await client.zrange(queue.toKey('failed'), '0', '-1')) {
    await client.zadd(queue.toKey('failed'), String(at), id);
    await client.hset(queue.toKey(id), { finishedOn: at });
  }
  client.disconnect();
}

function backendOf(queue: Queue): { connection?: PostgresConnection } {
  return queue.getBackend() as unknown as { connection?: PostgresConnection };
}

describe.each(backends)('dead letters on $name', (backend) => {
  let started: JobsApp;
  let letters: DeadLetters;
  beforeAll(async () => {
    const options = { queues: { other: {}, idle: {} }, workers: { except: ['idle'] }, connectTimeout: '10s' } as const;
    started = await startJobsApp({ backend, providers: [Fragile], options });
    letters = started.jobs.deadLetters;
  });
  afterAll(() => started?.close());
  beforeEach(async () => {
    Fragile.broken = true;
    await letters.discardAll({});
    Fragile.runs = [];
  });

  const failed = async (job: JobHandle): Promise<string> => {
    await expect(job.result()).rejects.toThrow();
    return job.id;
  };
  const failMail = async (n: number, options = {}): Promise<string> =>
    failed(await started.jobs.enqueue(send, { n, list: [] }, options));
  const idsOf = async (filter: DeadLetterFilter): Promise<string[]> =>
    (await letters.list(filter)).letters.map(({ id }) => id);

  it('[R4] are the job with its payload, its error, every attempt and a stack that nothing shows by itself', async () => {
    const id = await failMail(1, { tags: ['acme'] });
    const letter = await letters.get(id);
    expect(letters).toBe(started.app.get(DeadLetters));
    expect(letter).toEqual(
      await started.jobs
        .job(id)
        .status()
        .then((status) => ({ ...status, payload: { n: 1, list: [] } })),
    );
    expect(letter).toMatchObject({ state: 'failed', task: 'mail.send', queue: 'default', tags: ['acme'] });
    const cause = { name: 'RangeError', message: 'the line is too long' };
    expect(letter.error).toEqual({ name: 'TypeError', message: 'broken 1', code: 'E_BROKEN', cause });
    expect(letter.attempts.map(({ attempt, error }) => [attempt, error?.message])).toEqual([
      [1, 'broken 1'],
      [2, 'broken 1'],
    ]);
    expect(letter.stack).toMatch(/^TypeError: broken 1\n {4}at /);
    expect(letter.stack).not.toContain('@attempt');
    expect(JSON.stringify(letter)).not.toContain('    at ');
    expect((await letters.list()).letters).toEqual([letter]);
  });

  it('[R4] are no jobs that were cancelled, that succeeded or that are not there', async () => {
    const { jobs } = started;
    const cancelled = await jobs.enqueue(send, { n: 1, list: [] }, { delay: '1h' });
    await cancelled.cancel({ reason: 'not wanted' });
    await eventually(async () => (await jobs.queue('default').getFailedCount()) === 1);
    Fragile.broken = false;
    const succeeded = await jobs.enqueue(send, { n: 2, list: [] });
    await succeeded.result();
    expect(await letters.list()).toEqual({ letters: [] });
    expect(await letters.count()).toBe(0);
    expect(await letters.oldestAge()).toBeUndefined();
    expect(await letters.redriveAll({})).toMatchObject({ matched: 0 });
    expect(await letters.discardAll({})).toBe(0);
    for (const [job, state] of [
      [cancelled, 'cancelled'],
      [succeeded, 'succeeded'],
    ] as const) {
      for (const call of [letters.get(job.id), letters.redrive(job.id), letters.discard(job.id)]) {
        await expect(call).rejects.toMatchObject({ name: 'DeadLetterNotFoundError', state });
      }
      expect((await job.status()).state).toBe(state);
    }
    for (const id of ['default_nobody', 'nowhere_1', 'nonsense']) {
      await expect(letters.get(id)).rejects.toThrow(DeadLetterNotFoundError);
      await expect(letters.redrive(id)).rejects.toThrow(/there is no job .*deadLetters\.list\(\) has those/);
      expect(await letters.discard(id)).toBe(false);
    }
  });

  it('[R4] come in pages that hold still while jobs fail and go', async () => {
    const { jobs } = started;
    const entries = Array.from({ length: 20 }, () => [{ task: make }, { task: refuse }]).flat();
    const all = (await jobs.enqueueMany(entries)).map(({ id }) => id);
    await eventually(async () => (await letters.count()) === 40);
    const now = Date.now() - 1;
    for (const name of ['default', 'other']) await endTogether(jobs.queue(name), now);
    const seen: string[] = [];
    const times: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await letters.list({ limit: 7, ...(cursor && { cursor }) });
      seen.push(...page.letters.map(({ id }) => id));
      times.push(...page.letters.map(({ finishedAt }) => finishedAt!));
      cursor = page.nextCursor;
      // What was seen goes, the last one of the page too, and others come.
      for (const { id } of page.letters.slice(-3)) expect(await letters.discard(id)).toBe(true);
      await failed(await jobs.enqueue(make));
    } while (cursor);
    expect(seen).toHaveLength(40);
    expect([...seen].sort()).toEqual([...all].sort());
    expect(times).toEqual([...times].sort().reverse());
    const exact = await letters.list({ limit: await letters.count() });
    expect(exact.nextCursor).toBeUndefined();
  });

  it('[R4] are found by task, queue, error, tag, time and whether they were redriven', async () => {
    const { jobs } = started;
    const mail = await failMail(1, { tags: ['acme', 'night'] });
    const report = await failed(await jobs.enqueue(make, undefined, { tags: ['acme'] }));
    const refused = await failed(await jobs.enqueue(refuse));
    const { finishedAt } = await letters.get(report);
    const found: [DeadLetterFilter, string[]][] = [
      [{}, [refused, report, mail]],
      [{ task: send }, [mail]],
      [{ task: 'mail.*' }, [refused, mail]],
      [{ task: 'mail' }, []],
      [{ queue: 'default' }, [report, mail]],
      [{ queue: 'idle' }, []],
      [{ error: 'TypeError' }, [mail]],
      [{ error: 'NonRetryableError' }, [refused, report]],
      [{ tag: 'acme' }, [report, mail]],
      [{ tag: 'acme', error: 'TypeError' }, [mail]],
      [{ tag: 'ac' }, []],
      [{ redriven: false }, [refused, report, mail]],
      [{ redriven: true }, []],
      [{ from: new Date(Date.parse(finishedAt!) - 3_600_000) }, [refused, report, mail]],
      [{ from: new Date(Date.now() + 3_600_000) }, []],
      [{ to: new Date(Date.now() - 3_600_000).toISOString() }, []],
    ];
    for (const [filter, ids] of found) {
      // Two that failed in one millisecond come by their ids.
      expect((await idsOf(filter)).sort()).toEqual([...ids].sort());
      expect(await letters.count(filter)).toBe(ids.length);
      expect(typeof (await letters.oldestAge(filter))).toBe(ids.length > 0 ? 'number' : 'undefined');
    }
    const since = await idsOf({ from: finishedAt! });
    const before = await idsOf({ to: finishedAt! });
    expect(since).toContain(report);
    expect(before).not.toContain(report);
    expect([...since, ...before].sort()).toEqual([mail, refused, report].sort());
    expect(await letters.discardAll({ tag: 'acme', error: 'TypeError' })).toBe(1);
    await expect(jobs.job(mail).status()).rejects.toThrow(JobNotFoundError);
    expect(await letters.discard(report)).toBe(true);
    expect(await letters.discard(report)).toBe(false);
    expect(await idsOf({})).toEqual([refused]);
  });

  it('[R4] redriven, are done again by one new job that is linked to them', async () => {
    const { jobs } = started;
    const options = { tags: ['acme'], headers: { tenant: 't1' }, priority: 7, id: `invoice-${backend.name}` };
    const id = await failMail(5, options);
    Fragile.broken = false;
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => letters.redrive(id)));
    const again = await letters.redrive(id);
    expect(new Set([first!.id, again.id, ...others.map((job) => job.id)]).size).toBe(1);
    expect([first!, ...others].filter(({ created }) => created)).toHaveLength(1);
    expect(again.created).toBe(false);
    expect(await again.result()).toBe(5);
    expect(Fragile.runs.slice(2)).toEqual([{ id: again.id, n: 5, headers: { tenant: 't1' }, tags: ['acme'] }]);
    expect(await again.status()).toMatchObject({ redriveOf: id, state: 'succeeded', maxAttempts: 2, tags: ['acme'] });
    expect((await jobs.queue('default').getJob(again.id))!.opts.priority).toBe(3);
    const original = await jobs.job(id).status();
    expect(original).toMatchObject({ state: 'failed', redrivenAs: again.id, attempt: 2 });
    expect(await idsOf({ redriven: true })).toEqual([id]);
    expect((await letters.get(id)).payload).toEqual({ n: 5, list: [] });
  });

  it('[R4] redriven, have no second job when the first is gone or fails, or when the process died before the link', async () => {
    const { jobs } = started;
    const id = await failMail(6);
    const again = await letters.redrive(id);
    await failed(again);
    expect((await letters.redrive(id)).id).toBe(again.id);
    // What a process leaves that dies after it made the new job.
    const original = (await jobs.queue('default').getJob(id))!;
    const { w: _link, ...data } = original.data as { w: string };
    await original.updateData(data);
    expect((await jobs.job(id).status()).redrivenAs).toBeUndefined();
    expect(await letters.redriveAll({ task: send })).toMatchObject({ matched: 2, redriven: 2 });
    expect((await jobs.job(id).status()).redrivenAs).toBe(again.id);
    const third = (await jobs.job(again.id).status()).redrivenAs!;
    expect((await jobs.job(third).status()).redriveOf).toBe(again.id);
    await failed(jobs.job(third));
    expect(await letters.discard(again.id)).toBe(true);
    const gone = await letters.redrive(id);
    expect([gone.id, gone.created]).toEqual([again.id, false]);
    await expect(gone.status()).rejects.toThrow(JobNotFoundError);
    expect(Fragile.runs).toHaveLength(6);
  });

  it('[R4] redriven in thousands, are each done again once, and counted', async () => {
    const { jobs } = started;
    const many = backend.name === 'redis' ? 2_000 : 300;
    const entries = Array.from({ length: many }, (_, n) => ({ task: send, payload: { n, list: [] as [] } }));
    await jobs.enqueueMany(entries);
    await failed(await jobs.enqueue(make));
    // First what costs nothing: to count them is work that they would wait for.
    await eventually(() => Fragile.runs.length === 2 * many, { timeout: 60_000 });
    await eventually(async () => (await letters.count({ queue: 'default' })) === many + 1);
    // As if it failed while the call is under way: were such jobs redriven, one that fails at once would be without end.
    const later = await failed(await jobs.enqueue(refuse));
    await endTogether(jobs.queue('other'), Date.now() + 3_600_000);
    Fragile.runs = [];
    const report = await letters.redriveAll({ task: 'mail.*' });
    expect(report).toEqual({ matched: many, redriven: many, redrivenBefore: 0, refused: 0, refusals: [] });
    await eventually(() => Fragile.runs.length >= 2 * many, { timeout: 60_000 });
    await eventually(async () => (await letters.count({ queue: 'default' })) === 2 * many + 1);
    expect(new Set(Fragile.runs.map(({ id }) => id)).size).toBe(many);
    expect(new Set(Fragile.runs.map(({ n }) => n)).size).toBe(many);
    expect(Fragile.runs).toHaveLength(2 * many);
    Fragile.broken = false;
    expect(await letters.redriveAll({ redriven: true })).toMatchObject({ redriven: 0, redrivenBefore: many });
    const second = await letters.redriveAll({ task: send });
    expect(second).toMatchObject({ matched: 2 * many, redriven: many, redrivenBefore: many });
    await eventually(async () => Fragile.runs.length === 3 * many, { timeout: 60_000 });
    expect(await letters.discardAll({})).toBe(2 * many + 1);
    expect(await idsOf({})).toEqual([later]);
    expect((await letters.get(later)).redrivenAs).toBeUndefined();
    expect(await letters.discard(later)).toBe(true);
  }, 180_000);
});
