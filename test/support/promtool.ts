import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface PromtoolAnswer {
  readonly code: number | null;
  /** Both of its outputs. */
  readonly says: string;
}

/** Runs the promtool that the runner has found. */
export async function promtool(args: readonly string[], input = ''): Promise<PromtoolAnswer> {
  const path = process.env.JOBS_TEST_PROMTOOL;
  if (!path) throw new Error('JOBS_TEST_PROMTOOL is not set: run the tests with `npm test`, which finds promtool');
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  child.stdin.end(input);
  const [code, out, error] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, says: `${out}${error}` };
}
