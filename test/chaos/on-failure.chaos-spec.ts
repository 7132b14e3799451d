import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobFailedError, type JobStatus } from 'nestjs-jobs';
import {
  failureOptions,
  FailureTasks,
  GAPS,
  JOB,
  readHandled,
  SETTINGS_VARIABLE,
  type FailureSettings,
  type Gap,
} from '../fixtures/failure-tasks.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { startJobsApp } from '../support/jobs-app.js';
import { isFull, runsOn } from '../support/test-form.js';

const HANDLERS = ['first', 'second'];
const DIED = { code: null, signal: 'SIGKILL' };
/** In these the job itself has not ended yet, and runs again. */
const BEFORE_THE_FAILURE = GAPS.slice(0, 3);
/** In a short run each of them once, where a handler is called or where none is, and of two in one step the later one. */
const CALLED = isFull ? GAPS : [GAPS[1], GAPS[3], GAPS[5], GAPS[7]];
const NOT_CALLED = isFull ? BEFORE_THE_FAILURE : [GAPS[0], GAPS[2]];

describe.each(backends)('a process that is killed -9 around a failure on $name', (backend) => {
  let directory: string;
  let settings: FailureSettings;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-failure-'));
    const ledger = join(directory, 'handled.jsonl');
    await writeFile(ledger, '');
    const dataDir = join(directory, 'data');
    const connection = backend.name === 'embedded' ? embeddedIn(dataDir) : backend.connection()!;
    settings = { connection, namespace: uniqueNamespace(), ledger };
    FailureTasks.settings = settings;
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Of a job in whose handling a process died there, when another process has done the rest. */
  async function afterDeath(gap: Gap, endsWell: boolean): Promise<{ job: JobStatus; handlers: JobStatus[] }> {
    const victim = spawnFixture('failure-worker', {
      env: { [SETTINGS_VARIABLE]: JSON.stringify({ ...settings, gap, endsWell } satisfies FailureSettings) },
    });
    expect(await victim.exited).toEqual(DIED);
    const survivor = await startJobsApp({ backend, providers: [FailureTasks], options: failureOptions(settings) });
    const id = `default_${JOB}`;
    const { jobs } = survivor;
    await jobs
      .job(id)
      .result({ timeout: '1m' })
      .catch((error: unknown) => expect(error).toBeInstanceOf(JobFailedError));
    const job = await jobs.job(id).status();
    const handlers: JobStatus[] = [];
    for (const queue of HANDLERS) {
      const handler = `${queue}_failure-${id}-${Date.parse(job.createdAt).toString(36)}-handler.${queue}`;
      const { [handler]: stored } = await jobs.statuses([handler]);
      if (!stored) continue;
      await jobs.job(handler).result({ timeout: '1m' });
      handlers.push(await jobs.job(handler).status());
    }
    const counts = await Promise.all(HANDLERS.map((queue) => jobs.queue(queue).getJobCounts()));
    const stored = counts.flatMap((each) => Object.values(each)).reduce((sum, count) => sum + count, 0);
    expect(stored).toBe(handlers.length);
    await survivor.close();
    return { job, handlers };
  }

  const ownGaps = (gaps: readonly Gap[]): Gap[] => gaps.filter((_gap, n) => runsOn(backend, backends, n + 1));

  it.each(ownGaps(CALLED))('[R6] %s: each handler has one job, which is told how the job ended', async (gap) => {
    const { job, handlers } = await afterDeath(gap, false);
    expect(job).toMatchObject({ state: 'failed', error: { name: 'NonRetryableError' } });
    const each = { state: 'succeeded', failureOf: job.id };
    expect(handlers).toMatchObject(HANDLERS.map((queue) => ({ ...each, queue, task: `handler.${queue}` })));
    expect(handlers.every(({ reason }) => reason === undefined)).toBe(true);
    const handled = readHandled(settings.ledger);
    for (const { id, error } of handled) expect({ id, error }).toEqual({ id: job.id, error: job.error!.message });
    for (const [n, handler] of HANDLERS.entries()) {
      const attempts = handled.flatMap((call) => (call.handler === handler ? [call.attempt] : []));
      // What a handler had done when its process died, in its own gap or beside another's, it does again, and can know by
      // its attempt; else it acts once.
      const mayRepeat = handlers[n]!.attempt > 1;
      expect(attempts.length).toBeGreaterThan(0);
      if (mayRepeat) expect(attempts).toEqual([...new Set(attempts)].sort((a, b) => a - b));
      else expect(attempts).toHaveLength(1);
    }
    if (gap === 'in a handler, after it has done its work') {
      expect(handled.filter(({ handler }) => handler === 'first').map(({ attempt }) => attempt)).toEqual([1, 2]);
    }
  });

  // `it.each` refuses an empty table.
  for (const gap of ownGaps(NOT_CALLED)) {
    it(`[R6] ${gap}, and the job ends well after that: no handler is called`, async () => {
      const { job, handlers } = await afterDeath(gap, true);
      expect(job).toMatchObject({ state: 'succeeded', result: 'well after all' });
      const stored = {
        [BEFORE_THE_FAILURE[0]!]: [],
        [BEFORE_THE_FAILURE[1]!]: ['first'],
        [BEFORE_THE_FAILURE[2]!]: HANDLERS,
      };
      expect(handlers.map(({ queue }) => queue)).toEqual(stored[gap]);
      const reason = expect.stringMatching(/did not fail: it was run again, and is succeeded$/) as string;
      for (const handler of handlers) expect(handler).toMatchObject({ state: 'succeeded', reason });
      expect(readHandled(settings.ledger)).toEqual([]);
    });
  }
});
