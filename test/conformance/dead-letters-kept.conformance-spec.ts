import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import {
  InvalidDeadLetterFilterError,
  NonRetryableError,
  PayloadInvalidError,
  Task,
  task,
  type DeadLetterFilter,
  type JobsModuleOptions,
  type StandardSchemaV1,
} from 'nestjs-jobs';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const named: StandardSchemaV1<{ name: string }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof (value as { name?: unknown } | undefined)?.name === 'string'
        ? { value: value as { name: string } }
        : { issues: [{ message: 'must be a string', path: ['name'] }] },
  },
};

@Injectable()
class Greetings {
  @Task({ name: 'greet', schema: named })
  greet(payload: { name: string }): never {
    throw new NonRetryableError(`nobody is called ${payload.name}`);
  }
}

const greet = task(Greetings, 'greet');

describe.each(backends)('dead letters on $name', (backend) => {
  const apps: JobsApp[] = [];
  const directories: string[] = [];
  const closeAll = async (): Promise<void> => {
    for (const { close } of apps.splice(0)) await close();
  };
  const newDirectory = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'dead-letters-'));
    directories.push(directory);
    return directory;
  };
  afterEach(async () => {
    await closeAll();
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  });
  const start = async (options: JobsModuleOptions = {}): Promise<JobsApp> => {
    const app = await startJobsApp({ backend, providers: [Greetings], options: { connectTimeout: '10s', ...options } });
    apps.push(app);
    return app;
  };
  const fail = async ({ jobs }: JobsApp, name: string): Promise<string> => {
    const job = await jobs.enqueue(greet, { name });
    await expect(job.result()).rejects.toThrow('nobody is called');
    return job.id;
  };

  it('[R4] redriven, are checked with the schema that there is now', async () => {
    const app = await start();
    const { deadLetters } = app.jobs;
    const outdated = await fail(app, 'Ada');
    const good = await fail(app, 'Bob');
    await (await app.jobs.queue('default').getJob(outdated))!.updateData({ p: { surname: 'Ada' } });
    await expect(deadLetters.redrive(outdated)).rejects.toThrow(PayloadInvalidError);
    const report = await deadLetters.redriveAll({ task: greet });
    expect(report).toMatchObject({ matched: 2, redriven: 1, redrivenBefore: 0, refused: 1 });
    expect(report.refusals.map(({ id }) => id)).toEqual([outdated]);
    expect(report.refusals[0]!.error.message).toContain('$.name: must be a string');
    expect((await deadLetters.get(outdated)).redrivenAs).toBeUndefined();
    expect((await deadLetters.get(good)).redrivenAs).toBeDefined();
  });

  it('refuse a filter, a limit and a cursor that they cannot take, and then do nothing', async () => {
    const app = await start();
    const { deadLetters } = app.jobs;
    const id = await fail(app, 'Ada');
    const wrong: [unknown, RegExp][] = [
      [{ tsk: 'greet' }, /there is no option "tsk"\. Known here: task, queue, error, tag, from, to, redriven/],
      ['greet', /the filter must be an object like .*, but is "greet"/],
      [{ task: 7 }, /"task" must be a task as task\(Class, 'method'\) gives it, or a name like 'mail\.\*', but is 7/],
      [{ queue: 'nowhere' }, /"queue" must be a declared queue .*"nowhere"/],
      [{ error: '' }, /"error" must be the name of an error, as in 'TypeError', but is ""/],
      [{ tag: ['a'] }, /"tag" must be a tag, but is an array of 1/],
      [{ from: 'yesterday' }, /"from" must be a valid Date or ISO-8601 with a zone.*"yesterday"/],
      [{ to: new Date('never') }, /"to" must be a valid Date/],
      [{ redriven: 'no' }, /"redriven" must be true or false, but is "no"/],
    ];
    for (const [filter, message] of wrong) {
      for (const name of ['list', 'count', 'oldestAge', 'redriveAll', 'discardAll'] as const) {
        const refused = deadLetters[name](filter as DeadLetterFilter);
        await expect(refused).rejects.toThrow(InvalidDeadLetterFilterError);
        await expect(refused).rejects.toThrow(message);
      }
    }
    for (const name of ['redriveAll', 'discardAll'] as const) {
      const all = deadLetters[name].bind(deadLetters) as (filter?: unknown) => Promise<unknown>;
      await expect(all()).rejects.toThrow(/the filter must be an object/);
      await expect(all({ task: undefined })).rejects.toThrow(/"task" must be a value, or left out: without it all/);
    }
    const pages: [object, RegExp][] = [
      [{ limit: 0 }, /"limit" must be a whole number above zero, but is 0/],
      [{ limit: 1_001 }, /"limit" must be a whole number of at most 1000, but is 1001/],
      [{ cursor: 'x' }, /"cursor" must be the nextCursor of a page before, as list\(\) gave it, but is "x"/],
      [{ cursor: Buffer.from('[1.5,"default_1"]').toString('base64url') }, /"cursor" must be/],
    ];
    for (const [options, message] of pages) {
      await expect(deadLetters.list(options)).rejects.toThrow(InvalidDeadLetterFilterError);
      await expect(deadLetters.list(options)).rejects.toThrow(message);
    }
    expect(await deadLetters.list()).toMatchObject({ letters: [{ id }] });
    expect((await deadLetters.get(id)).redrivenAs).toBeUndefined();
  });

  it('[C6] are removed when their time is over, also where nothing fails any more', async () => {
    const app = await start({ results: { keepFailedFor: '1s' } });
    const { jobs } = app;
    const id = await fail(app, 'Ada');
    const cancelled = await jobs.enqueue(greet, { name: 'Bob' }, { delay: '1h' });
    await cancelled.cancel();
    await eventually(async () => (await jobs.queue('default').getJobCountByTypes()) === 0, { timeout: 20_000 });
    expect(await jobs.queue('default').getJob(id)).toBeUndefined();
    expect(await jobs.deadLetters.discard(id)).toBe(false);
  });

  it('[C6] are not removed by a process without workers, and cannot be read all the same', async () => {
    const shared: JobsModuleOptions = { namespace: uniqueNamespace() };
    if (backend.name === 'embedded') shared.connection = embeddedIn(await newDirectory());
    const worker = await start(shared);
    const id = await fail(worker, 'Ada');
    const { finishedAt } = await worker.jobs.deadLetters.get(id);
    await closeAll();
    // Old enough for whoever sweeps when it boots.
    await eventually(() => Date.now() > Date.parse(finishedAt!) + 1_000);
    const results = { keepFailedFor: '1s' } as const;
    const producer = await start({ ...shared, workers: false, results });
    const { deadLetters } = producer.jobs;
    expect(await deadLetters.count()).toBe(0);
    await expect(deadLetters.get(id)).rejects.toThrow('not kept any more');
    expect(await deadLetters.list()).toEqual({ letters: [] });
    expect(await producer.jobs.queue('default').getFailedCount()).toBe(1);
    await closeAll();
    const other = await start({ ...shared, results });
    await eventually(async () => (await other.jobs.queue('default').getFailedCount()) === 0);
  });
});
