import { resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../libs/jobs/src/cli/run-command-line.js';
import { ChildHandle, type SpawnOptions } from './child-process.js';

/** Built with the fixtures. */
export const CLI_FILE = resolve(
  fileURLToPath(new URL('../..', import.meta.url)),
  'dist/fixtures/libs/jobs/src/cli/main.js',
);

export interface CliAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `nestjs-jobs` does, in this process: in a fraction of the time that it takes to load it anew. */
export async function callCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliAnswer> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await runCommandLine(args, { env, stdin, stdout, stderr });
  for (const stream of [stdout, stderr]) stream.end();
  const [out, err] = await said;
  return { code, stdout: out.trimEnd(), stderr: err.trimEnd() };
}

/** Runs `nestjs-jobs` as a process of its own, without a terminal, and waits for its end. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliAnswer> {
  const child = spawnCli(args, { env });
  const { code } = await child.exited;
  return { code, stdout: child.stdout.join('\n'), stderr: child.stderr.join('\n') };
}

export function spawnCli(args: readonly string[], options: SpawnOptions = {}): ChildHandle {
  // What the machine that runs the tests has set is not meant.
  const { JOBS_URL: _url, JOBS_DATA_DIR: _dir, JOBS_NAMESPACE: _namespace, ...rest } = process.env;
  const unset = { JOBS_URL: '', JOBS_DATA_DIR: '', JOBS_NAMESPACE: '' };
  return new ChildHandle(CLI_FILE, { ...options, args: [...args], env: { ...rest, ...unset, ...options.env } });
}

/** The cells of a table by their titles. */
export function readTable(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.split('\n');
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map(({ 0: title, index }) => ({ title, index }));
  // Numbers stand on the right: a column begins behind the widest cell before it, and cells have no two spaces in them.
  const cut = (line: string): string[] => line.trim().split(/ {2,}/);
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => Object.fromEntries(cut(line).map((cell, n) => [columns[n]!.title, cell])));
}
