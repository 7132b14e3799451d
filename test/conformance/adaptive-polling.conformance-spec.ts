import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { InvalidArgumentError, Snooze, Task, task, type JobContext } from 'nestjs-jobs';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

interface Look {
  readonly id: string;
  readonly attempt: number;
  readonly before: number | undefined;
  readonly delay: number;
}

/** In this order, and nothing happens after that. */
const ACTIVITY = [false, false, false, true, true, false];
const MIN = 20;
const MAX = 100;

@Injectable()
class Mailbox {
  static looks: Look[] = [];

  @Task({ retry: { attempts: 2, delay: 1, jitter: 'none' } })
  async poll({ fails = -1, until }: { fails?: number; until: number }, job: JobContext): Promise<string> {
    const n = Mailbox.looks.length;
    const snooze = Snooze.adaptive(job, { active: ACTIVITY[n] ?? false, min: MIN, max: MAX });
    Mailbox.looks.push({ id: job.id, attempt: job.attempt, before: job.snoozedFor, delay: snooze.delay });
    if (n === fails) throw new Error('the mailbox is not there');
    if (n >= until) return 'enough';
    throw snooze;
  }
}

describe.each(backends)('adaptive polling on $name', (backend) => {
  let directory: string;
  let connection: NonNullable<Parameters<typeof startJobsApp>[0]['options']>['connection'];
  let namespace: string;
  let app: JobsApp | undefined;
  const start = async (): Promise<JobsApp> =>
    (app = await startJobsApp({ backend, providers: [Mailbox], options: { connection: connection!, namespace } }));
  beforeEach(async () => {
    Mailbox.looks = [];
    namespace = uniqueNamespace();
    directory = await mkdtemp(join(tmpdir(), 'jobs-polling-'));
    connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection();
  });
  afterEach(async () => {
    await app?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('[S6] waits longer while nothing happens, and less while something does, within its bounds', async () => {
    const { jobs } = await start();
    const job = await jobs.enqueue(task(Mailbox, 'poll'), { until: 7 });
    expect(await job.result({ timeout: '50s' })).toBe('enough');
    expect(Mailbox.looks.map(({ delay }) => delay)).toEqual([20, 40, 80, 40, 20, 40, 80, 100]);
    expect(Mailbox.looks.map(({ before }) => before)).toEqual([undefined, 20, 40, 80, 40, 20, 40, 80]);
    expect(new Set(Mailbox.looks.map(({ id, attempt }) => `${id} ${attempt}`))).toEqual(new Set([`${job.id} 1`]));
    expect(await job.status()).toMatchObject({ attempt: 1 });
  });

  it('[S6] begins anew after a failed attempt', async () => {
    const { jobs } = await start();
    const job = await jobs.enqueue(task(Mailbox, 'poll'), { until: 4, fails: 2 });
    await job.result({ timeout: '50s' });
    expect(Mailbox.looks.map(({ attempt, before }) => [attempt, before])).toEqual([[1, undefined], [1, 20], [1, 40], [2, undefined], [2, 20]]); // prettier-ignore
  });

  it('[S6] goes on after a restart where it was, as the same job, and once', async () => {
    const first = await start();
    const { id } = await first.jobs.enqueue(task(Mailbox, 'poll'), { until: 6 });
    await eventually(() => Mailbox.looks.length >= 2);
    await first.close();
    const before = Mailbox.looks.length;
    const { jobs } = await start();
    expect(await jobs.job(id).result({ timeout: '50s' })).toBe('enough');
    expect(Mailbox.looks).toHaveLength(7);
    expect(new Set(Mailbox.looks.map((look) => look.id))).toEqual(new Set([id]));
    for (const [n, look] of Mailbox.looks.entries()) {
      if (n > 0) expect([before, n, look.before]).toEqual([before, n, Mailbox.looks[n - 1]!.delay]);
    }
  });

  it.each([
    [{ min: -1, max: 5 }, '"min" must be a duration'],
    [{ min: 5, max: 'long' }, '"max" must be a duration'],
    [{ min: 5, max: 4 }, '"max" must be at least "min" (5 ms)'],
    [{ min: 5, max: 10, factor: 1 }, '"factor" must be a number above 1'],
  ])('[S6] %j is refused', (wrong, message) => {
    const adaptive = (): Snooze => Snooze.adaptive({ snoozedFor: 1 }, { active: true, ...wrong } as never);
    expect(adaptive).toThrow(InvalidArgumentError);
    expect(adaptive).toThrow(message);
  });
});
