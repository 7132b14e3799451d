import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
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
