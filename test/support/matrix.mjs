// npm run test:matrix: the tests on several versions of Node. `npm run test:matrix -- 22 24 -- --selectProjects unit`
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countLine } from './count-reporter.mjs';
import { Interruption, InterruptedError } from './interruption.mjs';
import { matrixOf, UnknownVersionError } from './matrix-arguments.mjs';
import { NODE_PACKAGE, nodeBinary } from './node-binary.mjs';
import { runNode } from './process-group.mjs';

const RUN_TESTS = fileURLToPath(new URL('run-tests.mjs', import.meta.url));
const USAGE_ERROR = 2;
const interruption = new Interruption();

/** @param {string} requested
 * @param {string[]} parameters
 * @returns {Promise<{ passed: boolean, line: string }>} */
async function testOn(requested, parameters) {
  const { path, directory, version } = nodeBinary(requested);
  console.log(`\n== Node ${version}`);
  const results = mkdtempSync(join(tmpdir(), 'nestjs-jobs-matrix-'));
  const countFile = join(results, 'counts.json');
  const env = {
    ...process.env,
    // What the tests start by the name of `node` or `npm` shall run on that version too.
    PATH: `${directory}${delimiter}${process.env.PATH}`,
    JOBS_TEST_COUNT_FILE: countFile,
  };
  const start = performance.now();
  try {
    const { code } = await interruption.whileRunning(() =>
      runNode([RUN_TESTS, ...parameters], { env, node: path, directory: results }),
    );
    const seconds = Math.round((performance.now() - start) / 1000);
    const counts = existsSync(countFile) ? countLine(JSON.parse(readFileSync(countFile, 'utf8'))) : 'no test ran';
    const passed = code === 0;
    return { passed, line: `Node ${version}: ${passed ? 'passed' : `failed with ${code}`} (${counts}; ${seconds} s)` };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

try {
  const { versions, parameters } = matrixOf(process.argv.slice(2));
  console.log(
    `Node ${versions.join(', ')} from the npm package ${NODE_PACKAGE}, on ${process.platform} ${process.arch}.`,
  );
  const results = [];
  for (const version of versions) results.push(await testOn(version, parameters));
  console.log(`\n${results.map(({ line }) => line).join('\n')}`);
  process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
} catch (error) {
  if (error instanceof UnknownVersionError) process.exitCode = USAGE_ERROR;
  else if (error instanceof InterruptedError) process.exitCode = interruption.exitCode;
  else process.exitCode = 1;
  console.error(`npm run test:matrix: ${error instanceof Error ? error.message : String(error)}`);
}
