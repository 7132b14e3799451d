import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { SETTINGS_VARIABLE, type CliAppJobs, type CliAppSettings } from '../fixtures/cli-app-settings.js';
import { backends, embeddedIn, ownNamespace, redisUrl, uniqueNamespace } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { callCli, CLI_FILE, runCli, spawnCli, type CliAnswer } from '../support/cli.js';
import { isFull, itIf, runsOn } from '../support/test-form.js';

// Each run of the command line loads Nest and BullMQ, on machines that do other things too.
jest.setTimeout(180_000);

/** Where nothing in a test is about the end of a process, the short form starts none. */
const run = isFull ? runCli : callCli;

/** A port on which nothing listens. */
const AWAY = '127.0.0.1:1';

describe('the command line without a store', () => {
  it('[M4] helps on stdout when it is asked', async () => {
    for (const args of [['--help'], ['help', 'fleet'], ['fleet', 'concurrency', '--help'], ['--version']]) {
      const { code, stdout, stderr } = await callCli(args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: nestjs-jobs|^\d+\.\d+\.\d+/);
    }
  });

  it('[M4] ends with 2 when it cannot be followed, and says why on stderr', async () => {
    const url = ['--url', `redis://${AWAY}`];
    for (const [args, message] of [
      [[], /Usage: nestjs-jobs/],
      [['flet'], /unknown command 'flet'[^]*fleet/],
      [['fleet', 'pong'], /too many arguments/],
      [['status'], /missing required argument 'id'/],
      [['status', 'a', '--jsn'], /unknown option '--jsn'[^]*--json/],
      [['status', 'a'], /JOBS_URL/],
      [['status', 'a', '--url', 'mysql://user:secret@host'], /must begin with redis/],
      [['status', 'a', '--data-dir', '.', ...url], /not both/],
      [['status', 'a', '--namespace', 'No Name', ...url], /"namespace"/],
      [['status', 'a', '--timeout', 'soon', ...url], /'soon' is invalid/],
      [['dead-letters', '--limit', '0', ...url], /'0' is invalid[^]*1000/],
      [['dead-letters', '--redriven', '--open', ...url], /cannot be used with/],
      [['limits', 'set', 'crm', '1/s', '--burst', 'x', ...url], /'x' is invalid/],
      [['fleet', 'concurrency', 'default', '-1', ...url], /unknown option '-1'|invalid/],
    ] as const) {
      const { code, stdout, stderr } = await callCli(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain('secret');
    }
  });

  it('[M4] ends with the same code when nobody reads why', async () => {
    const child = spawn(process.execPath, [CLI_FILE, 'status'], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.destroy();
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(2);
  });

  it('[M4] says it as JSON with --json', async () => {
    const { code, stdout, stderr } = await callCli(['status', '--json']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: { name: 'CommanderError', message: "missing required argument 'id'", exitCode: 2 },
    });
  });

  it.each(['redis://user:secret@', 'postgres://user:secret@', 'rediss://:secret@'])(
    '[M4] ends with 4 when %s cannot be reached, and tells no password',
    async (login) => {
      const url = `${login}${AWAY}/0`;
      const said = await run(['fleet', '--timeout', '1s'], { JOBS_URL: url });
      expect(said).toMatchObject({ code: 4, stdout: '' });
      expect(said.stderr).toMatch(/^nestjs-jobs: .*127\.0\.0\.1:1.* cannot be reached: .*\.$/);
      const json = await run(['fleet', '--timeout', '1s', '--json', '--url', url]);
      expect(json).toMatchObject({ code: 4, stdout: '' });
      expect(JSON.parse(json.stderr)).toMatchObject({ error: { name: 'BackendUnavailableError', exitCode: 4 } });
      expect(said.stderr + json.stderr).not.toContain('secret');
    },
  );

  it('[M4] ends with 4 when a server takes the connection and says nothing, and at once on Ctrl+C', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await runCli(['fleet', '--timeout', '500ms'], { JOBS_URL: url })).toMatchObject({ code: 4, stdout: '' });

    const interrupted = spawnCli(['fleet', '--timeout', '1h'], { env: { JOBS_URL: url } });
    await once(server, 'connection');
    expect(await interrupted.kill('SIGINT')).toEqual({ code: null, signal: 'SIGINT' });
    server.close();
  });

  it('[M4] ends with 4 where there is no embedded store, and makes none', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cli-'));
    const { code, stderr } = await run(['fleet', '--data-dir', directory]);
    expect(code).toBe(4);
    expect(stderr).toContain(`There is no embedded store in ${directory}`);
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });
});

describe.each(backends)('how the command line ends on $name', (backend) => {
  let directory: string;
  let ids: CliAppJobs;
  let where: NodeJS.ProcessEnv;
  let locked: CliAnswer | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cli-'));
    const isEmbedded = backend.name === 'embedded';
    const connection = isEmbedded ? embeddedIn(directory) : (backend.connection() as string);
    const namespace = isEmbedded ? ownNamespace(backend) : uniqueNamespace();
    const settings: CliAppSettings = { connection, namespace };
    where = {
      JOBS_NAMESPACE: namespace,
      ...(isEmbedded ? { JOBS_DATA_DIR: directory } : { JOBS_URL: connection as string }),
    };
    const app = spawnFixture('cli-app', { env: { [SETTINGS_VARIABLE]: JSON.stringify(settings) } });
    const [, json] = await app.waitForLine(/^READY (.*)$/, { timeout: 60_000 });
    ids = JSON.parse(json!) as CliAppJobs;
    if (isEmbedded) locked = await run(['fleet'], where);
    await app.kill('SIGTERM');
  }, 120_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const ownCommands = (commands: string[][]): string[][] =>
    commands.filter((_command, n) => runsOn(backend, backends, n));

  it('[M4] with what the store knows, when no process is left', async () => {
    const fleet = await runCli(['fleet', '--json'], where);
    expect(fleet).toMatchObject({ code: 0, stderr: '' });
    const { processes, stats } = JSON.parse(fleet.stdout) as { processes: unknown[]; stats: { queues: object[] } };
    expect([processes, stats.queues.map((each) => (each as { queue: string }).queue)]).toEqual([
      [],
      ['default', 'bulk', 'idle'],
    ]);

    const status = await run(['status', ids.succeeded, '--json'], where);
    expect(JSON.parse(status.stdout)).toMatchObject({ id: ids.succeeded, state: 'succeeded' });
    const letters = await run(['dead-letters', '--json'], where);
    expect(JSON.parse(letters.stdout)).toMatchObject({ letters: [{ id: ids.failed }] });
  });

  it('[M5] with what was done in the store', async () => {
    const cancelled = await run(['cancel', ids.scheduled, '--yes', '--json'], where);
    expect(JSON.parse(cancelled.stdout)).toEqual({ id: ids.scheduled, cancelled: true, state: 'cancelled' });
    const status = await run(['status', ids.scheduled, '--json'], where);
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'cancelled' });
  });

  it('[M4] with 2 when only the library can tell that it cannot be followed', async () => {
    for (const args of ownCommands([
      ['dead-letters', '--since', 'yesterday'],
      ['dead-letters', '--cursor', 'x'],
      ['limits', 'set', 'crm', 'nonsense'],
      ['cancel', ids.waiting, '--reason', '', '--yes'],
      ['redrive'],
      ['redrive', ids.failed, '--all'],
      ['redrive', ids.failed, '--task', 'mail.fail'],
      ['fleet', 'concurrency', 'idle', 'none'],
    ])) {
      const { code, stdout, stderr } = await callCli(args, where);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(/^nestjs-jobs: [^\n]+$/);
    }
  });

  it('[M4] with 4 where nobody has ever worked, for each command', async () => {
    for (const args of ownCommands([['fleet'], ['why', ids.failed], ['limits'], ['purge', 'bulk', '--yes']])) {
      const { code, stdout, stderr } = await run(args, { ...where, JOBS_NAMESPACE: 'other_app' });
      expect({ args, code, stdout }).toEqual({ args, code: 4, stdout: '' });
      expect(stderr).toMatch(/There are no jobs .*"other_app".*--namespace/);
    }
  });

  itIf(backend.name === 'redis', '[M4] without a trace where nobody has ever worked', async () => {
    const namespace = uniqueNamespace();
    const redis = new Redis(redisUrl());
    try {
      for (const args of [['fleet'], ['why', ids.failed], ['dead-letters'], ['fleet', 'active', '--queues', 'bulk']]) {
        await run(args, { ...where, JOBS_NAMESPACE: namespace });
        expect([args, await redis.keys(`*${namespace}*`)]).toEqual([args, []]);
      }
    } finally {
      redis.disconnect();
    }
  });

  itIf(backend.name === 'embedded', '[M4] with 4 while an app has the store open', async () => {
    expect(locked).toMatchObject({ code: 4, stdout: '' });
    expect(locked!.stderr).toMatch(/The app has .* open \(pid \d+ on .*Stop the app first/);
  });

  itIf(runsOn(backend, backends, 1), '[M4] without a word when its reader has gone', async () => {
    const child = spawn(process.execPath, [CLI_FILE, 'dead-letters', '--json'], {
      env: { ...process.env, ...where },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const [stderr, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect({ code: code as unknown, signal: signal as unknown, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });
});
