import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { task, type JobHandle } from 'nestjs-jobs';
import {
  lifecycleOptions,
  LifecycleTasks,
  SETTINGS_VARIABLE,
  type LifecycleSettings,
} from '../fixtures/lifecycle-tasks.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { freePort } from '../support/services/free-port.mjs';
import { startPostgres } from '../support/services/postgres.mjs';
import { startRedis } from '../support/services/redis.mjs';
import { itIf, runsOn } from '../support/test-form.js';

type Store = Pick<LifecycleSettings, 'connection' | 'namespace'>;

const work = task(LifecycleTasks, 'work');
const EXITED_BY_ITSELF = { code: 0, signal: null };
const ENDED_BY_SIGTERM = { code: null, signal: 'SIGTERM' };

function startProcess(store: Store, settings: Partial<LifecycleSettings>, env: NodeJS.ProcessEnv = {}): ChildHandle {
  const whole: LifecycleSettings = { hooks: 'after the boot', tasks: 'end', ...store, ...settings };
  return spawnFixture('lifecycle-app', { env: { ...env, [SETTINGS_VARIABLE]: JSON.stringify(whole) } });
}

describe.each(backends)('a process on $name', (backend) => {
  let directory: string;
  let store: Store;
  const isShared = backend.name !== 'embedded';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-lifecycle-'));
    const connection = isShared ? backend.connection()! : embeddedIn(directory);
    store = { connection, namespace: uniqueNamespace() };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** This process's own access to the store, without workers. */
  function open(): Promise<JobsApp> {
    const options = { ...lifecycleOptions({ ...store, hooks: 'none', tasks: 'end' }), workers: false };
    return startJobsApp({ backend, providers: [LifecycleTasks], options });
  }

  /** The embedded store belongs to one process at a time. */
  async function enqueue(payloads: { next?: string }[]): Promise<string[]> {
    const { jobs, close } = await open();
    const handles = await jobs.enqueueMany(payloads.map((payload) => ({ task: work, payload })));
    await close();
    return handles.map(({ id }) => id);
  }

  async function resultsOf(ids: string[], expected: unknown): Promise<void> {
    const { jobs, close } = await open();
    for (const id of ids) {
      const job: JobHandle = jobs.job(id);
      expect(await job.result({ timeout: '1m' })).toEqual(expected);
      expect(await job.status()).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
    }
    await close();
  }

  // That each store takes jobs back is tested in one process.
  itIf(
    runsOn(backend, backends, 1),
    '[C2] told to end in the middle of long tasks gives them back: another runs them, as the same attempt',
    async () => {
      const ids = await enqueue([{}, {}, {}]);
      const first = startProcess(store, { tasks: 'never end', grace: '200ms' });
      await first.waitForLine(/^READY$/);
      for (const id of ids) await first.waitForLine(new RegExp(`^RUN ${id} 1$`));
      const startSecond = async (): Promise<ChildHandle> => {
        const second = startProcess(store, {});
        await second.waitForLine(/^READY$/);
        return second;
      };
      // As in a rolling deploy, where the store can be shared.
      const early = isShared ? await startSecond() : undefined;
      expect(await first.kill('SIGTERM')).toEqual(ENDED_BY_SIGTERM);
      for (const id of ids) expect(first.stdout).toContain(`ABORTED ${id} JobsShutdownError`);
      expect(first.output()).toMatch(/given back to run elsewhere/);
      expect(first.output()).not.toMatch(/ERROR/);
      const second = early ?? (await startSecond());
      for (const id of ids) await second.waitForLine(new RegExp(`^RUN ${id} 1$`));
      for (const id of ids) await second.waitForLine(new RegExp(`^DONE ${id}$`));
      expect(await second.kill('SIGTERM')).toEqual(ENDED_BY_SIGTERM);
      await resultsOf(ids, { attempt: 1, pid: second.pid });
    },
  );

  itIf(
    runsOn(backend, backends, 0),
    '[C8] told to end twice ends once, when its task is done, and stores what the task enqueued',
    async () => {
      const [id] = await enqueue([{ next: 'enqueued-in-the-drain' }]);
      const child = startProcess(store, { tasks: 'end on SIGCONT', tellsSignals: true });
      await child.waitForLine(new RegExp(`^RUN ${id} 1$`));
      await child.waitForLine(/^READY$/);
      void child.kill('SIGTERM');
      await child.waitForLine(/^DRAINING$/);
      void child.kill('SIGTERM');
      await child.waitForLine(/^SIGTERM AGAIN$/);
      expect(await child.kill('SIGCONT')).toEqual(ENDED_BY_SIGTERM);
      expect(child.stdout).toContain(`DONE ${id}`);
      expect(child.output()).not.toMatch(/ABORTED|given back|ERROR/);
      await resultsOf([id!], { attempt: 1, pid: child.pid });
      const { jobs, close } = await open();
      expect(await jobs.job('default_enqueued-in-the-drain').status()).toMatchObject({ state: 'pending' });
      await close();
    },
  );

  async function closesAndEnds(close: 'at once' | 'after a job'): Promise<void> {
    const child = startProcess(store, { close, hooks: 'none' });
    expect(await child.exited).toEqual(EXITED_BY_ITSELF);
    expect(child.stdout).toContain('CLOSED');
    expect(child.output()).not.toMatch(/ERROR/);
  }

  it('[C8] that closes its app after a job ends by itself', () => closesAndEnds('after a job'));

  itIf(runsOn(backend, backends, 1), '[C8] that closes its app at once ends by itself', () => closesAndEnds('at once'));
});

/** The backends that can be away, with a server of the test's own. */
const servers = [
  { name: 'redis', start: () => startRedis(), url: (port: number) => `redis://127.0.0.1:${port}` },
  { name: 'postgres', start: () => startPostgres(), url: (port: number) => `postgres://jobs@127.0.0.1:${port}/jobs` },
].filter((server) => backends.some(({ name }) => name === server.name));

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (servers.length > 0) {
  describe.each(servers)('a process while its $name is away', (away) => {
    const { start, url } = away;
    const settings: Partial<LifecycleSettings> = { hooks: 'none', connectTimeout: '500ms' };

    itIf(runsOn(away, servers, 0), '[C8] ends by itself when its app is closed right after the boot', async () => {
      const store = { connection: url(await freePort()), namespace: uniqueNamespace() };
      const child = startProcess(store, { ...settings, close: 'at once' });
      expect(await child.exited).toEqual(EXITED_BY_ITSELF);
      expect(child.stdout).toContain('CLOSED');
    });

    itIf(runsOn(away, servers, 1), '[C8] ends by itself when its app is closed after the server was lost', async () => {
      const server = await start();
      const store = { connection: url(server.port), namespace: uniqueNamespace() };
      const child = startProcess(store, { ...settings, close: 'on SIGCONT' });
      await child.waitForLine(/^READY$/);
      await server.kill();
      expect(await child.kill('SIGCONT')).toEqual(EXITED_BY_ITSELF);
      expect(child.stdout).toContain('CLOSED');
      await server.stop();
    });
  });
}

describe('a process that does not enable its shutdown hooks', () => {
  const backend = backends.find(({ name }) => name === 'redis') ?? backends[0]!;
  const connection = backend.connection()!;

  it('[C8] says so, with the fix', async () => {
    // Whoever runs tests sees nothing of it.
    const env = { NODE_ENV: 'development' };
    const child = startProcess({ connection, namespace: uniqueNamespace() }, { hooks: 'none' }, env);
    await child.waitForLine(/Nothing listens for SIGTERM.*app\.enableShutdownHooks\(\) in main\.ts/);
    expect(await child.kill('SIGTERM')).toEqual(ENDED_BY_SIGTERM);
  });
});
