import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = resolve(ROOT, 'dist/fixtures/test/fixtures');
const SAMPLE_API = resolve(ROOT, 'dist/apps/sample-api/apps/sample-api/src');

/** An optimized Postgres is worth its compilation only to those that live for longer than a test. */
const QUICK_WASM = '--liftoff-only';

export interface SpawnOptions {
  /** On top of the environment of the tests. */
  env?: NodeJS.ProcessEnv;
  args?: string[];
  /** Default: the root of the repository. */
  cwd?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Starts `test/fixtures/<name>.ts`, built by `npm test`. */
export function spawnFixture(name: string, options?: SpawnOptions): ChildHandle {
  return new ChildHandle(resolve(FIXTURES, `${name}.js`), options);
}

/** Starts the built sample API: `main` is the API, `worker` only works, `demo/demo` is a client. */
export function spawnSampleApi(entry: 'main' | 'worker' | 'demo/demo' = 'main', options?: SpawnOptions): ChildHandle {
  return new ChildHandle(resolve(SAMPLE_API, `${entry}.js`), options);
}

const alive = new Set<ChildHandle>();

export class ChildHandle {
  /** What the process wrote, line by line. */
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly pid: number;
  /** Resolves once the process has ended and all its output is in; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #child;
  readonly #watchers = new Set<() => void>();
  #exit?: Exit;

  constructor(
    readonly file: string,
    { env, args = [], cwd = ROOT }: SpawnOptions = {},
  ) {
    if (!existsSync(file)) throw new Error(`${file} is not built: run the tests with \`npm test\`, which builds it`);
    this.#child = spawn(process.execPath, ['--enable-source-maps', QUICK_WASM, file, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (this.#child.pid === undefined) throw new Error(`${file} could not be started`);
    this.pid = this.#child.pid;
    this.#collect(this.#child.stdout, this.stdout);
    this.#collect(this.#child.stderr, this.stderr);
    alive.add(this);
    this.exited = new Promise((settle) => {
      this.#child.once('close', (code, signal) => {
        alive.delete(this);
        this.#exit = { code, signal };
        this.#wakeWatchers();
        settle(this.#exit);
      });
    });
  }

  /** The first line of stdout that matches, also one written before the call. Rejects when the process ends without it. */
  waitForLine(pattern: RegExp, { timeout = 30_000 }: { timeout?: number } = {}): Promise<RegExpMatchArray> {
    return new Promise((found, reject) => {
      let read = 0;
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        action();
      };
      const fail = (reason: string) =>
        settle(() => reject(new Error(`no line ${pattern}: ${reason}\n${this.output()}`)));
      const look = () => {
        for (; read < this.stdout.length; read++) {
          const match = this.stdout[read]?.match(pattern);
          if (match) return settle(() => found(match));
        }
        if (this.#exit) fail(`the process ended with ${this.#exit.signal ?? `exit code ${this.#exit.code}`}`);
      };
      const timer = setTimeout(() => fail(`the process runs, and ${timeout} ms are over`), timeout);
      this.#watchers.add(look);
      look();
    });
  }

  /** Sends the signal; await the result to know that the process has ended. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.#child.kill(signal);
    return this.exited;
  }

  /** All that was written, for failure messages. */
  output(): string {
    return [`--- stdout of ${this.file}`, ...this.stdout, '--- stderr', ...this.stderr].join('\n');
  }

  #collect(stream: NodeJS.ReadableStream, lines: string[]): void {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      this.#wakeWatchers();
    });
  }

  #wakeWatchers(): void {
    for (const look of this.#watchers) look();
  }
}

afterAll(async () => {
  await Promise.all([...alive].map((child) => child.kill('SIGKILL')));
});
