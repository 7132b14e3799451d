import { SETTINGS_VARIABLE, type CliAppJobs, type CliAppSettings } from '../fixtures/cli-app-settings.js';
import { backends, uniqueNamespace, type TestBackend } from './backends.js';
import { spawnFixture, type ChildHandle } from './child-process.js';
import { callCli, readTable, runCli, type CliAnswer } from './cli.js';
import { eventually } from './eventually.js';
import { isFull, runsOn } from './test-form.js';

/** An embedded store is open to its app alone. */
export const servers = backends.filter(({ name }) => name !== 'embedded');

interface Listed {
  readonly processes: {
    id: string;
    host: string;
    pid: number;
    draining: boolean;
    queues: { queue: string; concurrency: number; paused: boolean }[];
  }[];
  readonly stats: { queues: { queue: string; waiting: number; paused: boolean }[]; slots: Record<string, number> };
}

/** The command line, and an app of its own for the tests of a `describe`. */
export function cliBesideApp(backend: TestBackend) {
  const namespace = uniqueNamespace();
  let app: ChildHandle;
  let ids: CliAppJobs;
  let url: string;

  beforeAll(async () => {
    url = backend.connection() as string;
    const settings: CliAppSettings = { connection: url, namespace };
    app = spawnFixture('cli-app', { env: { [SETTINGS_VARIABLE]: JSON.stringify(settings) } });
    const [, json] = await app.waitForLine(/^READY (.*)$/);
    ids = JSON.parse(json!) as CliAppJobs;
    // What it says of itself is written a moment after its boot.
    await eventually(async () => (await fleet()).processes.length === 1);
  }, 60_000);
  afterAll(() => app.kill('SIGKILL'));

  const where = (): NodeJS.ProcessEnv => ({ JOBS_URL: url, JOBS_NAMESPACE: namespace });
  /** As a process of its own, in the short form on one server. */
  const cli = (...args: string[]): Promise<CliAnswer> =>
    (runsOn(backend, servers, 0) ? runCli : callCli)(args, where());
  /** Most of it, whose process would tell nothing that those of others do not. */
  const call = (...args: string[]): Promise<CliAnswer> => callCli(args, where());
  const shown = isFull ? cli : call;

  async function json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await call(...args, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  }

  async function table(...args: string[]): Promise<Record<string, string>[]> {
    const { code, stdout, stderr } = await shown(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return readTable(stdout);
  }

  const fleet = (): Promise<Listed> => json<Listed>('fleet');

  return { app: () => app, ids: () => ids, cli, call, shown, json, table, fleet };
}
