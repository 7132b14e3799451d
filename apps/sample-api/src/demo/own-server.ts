import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT = 60_000;
const STOP_TIMEOUT = 35_000;

/** The sample API in a process of its own, with an embedded backend in a folder that is gone afterwards. */
export class OwnServer {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(): Promise<OwnServer> {
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-jobs-demo-'));
    const { JOBS_URL: _notTheirs, ...environment } = process.env;
    const child = spawn(process.execPath, [fileURLToPath(new URL('../main.js', import.meta.url))], {
      // Not the project's folder: its .env file is for a server that stays.
      cwd: folder,
      env: {
        ...environment,
        PORT: '0',
        JOBS_DATA_DIR: join(folder, 'jobs'),
        REPORTS_DIR: join(folder, 'reports'),
        PAYMENTS_DIR: join(folder, 'payments'),
        IMPORTS_DIR: join(folder, 'imports'),
        JOBS_WORKERS: 'true',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      return new OwnServer(await announcedUrl(child), child, folder);
    } catch (error) {
      await stopProcess(child);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await stopProcess(this.child);
    await rm(this.folder, { recursive: true, force: true });
  }
}

function announcedUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (reason: string) => reject(new Error(`The server ${reason}.\n${output.trim()}`));
    const timer = setTimeout(() => fail('did not start in time'), START_TIMEOUT);
    const read = (chunk: Buffer) => {
      // Reading goes on after the start: a full pipe would stop the server.
      output = (output + chunk.toString()).slice(-10_000);
      const [, url] = /Sample API: (http:\/\/localhost:\d+)\s/.exec(output) ?? [];
      if (url !== undefined) {
        clearTimeout(timer);
        resolve(url);
      }
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`stopped with exit code ${code}`);
    });
  });
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
  await gone;
  clearTimeout(impatience);
}
