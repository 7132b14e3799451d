import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { task } from 'nestjs-jobs';
import { ResultSweeper } from '../../libs/jobs/src/results/result-sweeper.js';
import { StoredResults } from '../../libs/jobs/src/results/stored-results.js';
import {
  RESULT_SIZE,
  resultOptions,
  ResultTasks,
  SETTINGS_VARIABLE,
  type ResultFault,
  type ResultSettings,
} from '../fixtures/result-tasks.js';
import { backends, embeddedIn, ownNamespace } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { runsOn } from '../support/test-form.js';

const GAPS: Record<ResultFault, string> = {
  writing: 'in the middle of a result',
  written: 'after a result is written, before the end of its job is stored',
  ended: 'after the end of a job with a result is stored',
  sweeping: 'when the sweeper is about to remove a result',
  swept: 'when the sweeper has removed a result',
};

describe.each(backends)('a process that is killed -9 with large results on $name', (backend) => {
  let directory: string;
  let settings: ResultSettings;
  let app: JobsApp | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'result-crashes-'));
    const isRedis = backend.name === 'redis';
    const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
    const store = isRedis ? { files: join(directory, 'results') } : ('table' as const);
    settings = { options: { connection, namespace: ownNamespace(backend), results: { store } } };
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  async function diesAt(fault: ResultFault): Promise<JobsApp> {
    const victim = spawnFixture('result-worker', {
      env: { [SETTINGS_VARIABLE]: JSON.stringify({ ...settings, fault } satisfies ResultSettings) },
    });
    const { signal } = await victim.exited;
    // What it said tells why it lives, or has died of something else.
    expect({ signal, said: victim.stderr }).toEqual({ signal: 'SIGKILL', said: [] });
    return startJobsApp({ backend, providers: [ResultTasks], options: resultOptions(settings) });
  }

  async function refsOf({ app: nest }: JobsApp): Promise<string[]> {
    const store = await nest.get(StoredResults, { strict: false }).own();
    const refs: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await store.list(cursor);
      refs.push(...page.results.map(({ key }) => key));
      if (page.cursor === undefined) return refs;
      ({ cursor } = page);
    }
  }

  for (const [n, [fault, gap]] of (Object.entries(GAPS) as [ResultFault, string][]).entries()) {
    if (!runsOn(backend, backends, n)) continue;
    it(`[A5] ${gap}: the result is whole, and nothing else is left`, async () => {
      app = await diesAt(fault);
      // With the id of the first call: that job, unless the process died before.
      const job = await app.jobs.enqueue(task(ResultTasks, 'export'), undefined, { id: 'kept' });
      expect(await (await job.result()).bytes()).toHaveLength(RESULT_SIZE);
      const { resultRef } = await job.status();
      const other = await app.jobs
        .job('default_removed')
        .status()
        .catch(() => undefined);
      if (other) await app.jobs.job(other.id).result();
      const others = other ? [(await app.jobs.job(other.id).status()).resultRef!.ref] : [];
      await app.app.get(ResultSweeper, { strict: false }).sweep();
      const expected = [resultRef!.ref, ...others].map((ref) => ref.slice(ref.indexOf('/') + 1));
      expect((await refsOf(app)).sort()).toEqual(expected.sort());
      expect(await app.app.get(ResultSweeper, { strict: false }).sweep()).toBe(0);
    });
  }
});
