import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNode } from './process-group.mjs';

const JEST = fileURLToPath(import.meta.resolve('jest/bin/jest'));
// An optimized Postgres is worth its compilation only to those that use it for longer than a file of tests does.
const NODE_FLAGS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', '--liftoff-only'];

/**
 * @param {import('./interruption.mjs').Interruption} interruption
 * @param {string[]} parameters
 * @param {Record<string, string>} env
 * @returns {Promise<{ code: number, counts?: import('./count-reporter.mjs').Counts, failedFiles?: import('./count-reporter.mjs').FailedFile[] }>}
 */
export async function runJest(interruption, parameters, env) {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-jobs-counts-'));
  const countFile = join(directory, 'counts.json');
  const start = () =>
    runNode([...NODE_FLAGS, JEST, ...parameters], {
      env: { ...process.env, ...env, JOBS_TEST_COUNT_FILE: countFile },
      directory,
      keepTerminal: parameters.some((parameter) => parameter.startsWith('--watch')),
    });
  try {
    const { code } = await interruption.whileRunning(start);
    return existsSync(countFile) ? { code, ...JSON.parse(readFileSync(countFile, 'utf8')) } : { code };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
