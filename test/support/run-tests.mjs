// npm test: starts what the tests need, builds what they run as child processes, runs Jest, and leaves nothing behind.
import { writeFileSync } from 'node:fs';
import { selectBackends, UnknownBackendError } from './backend-selection.mjs';
import { buildTargets } from './build-targets.mjs';
import { countLine, sumOf } from './count-reporter.mjs';
import { againAlone } from './failed-again.mjs';
import { Interruption, InterruptedError } from './interruption.mjs';
import { needsBrowser, needsPromtool } from './program-selection.mjs';
import { runJest } from './run-jest.mjs';
import { requireChromium } from './services/chromium-binary.mjs';
import { backendServices } from './services/index.mjs';
import { requirePromtool } from './services/promtool-binary.mjs';

const USAGE_ERROR = 2;
const NO_BUILD = '--no-build';
const MEASURED = ['--selectProjects', 'measured', '--runInBand'];

const parameters = process.argv.slice(2);
const interruption = new Interruption();

/** @type {(() => Promise<void>)[]} */
const stops = [];

async function run() {
  const backends = selectBackends(process.env.JOBS_TEST_BACKENDS);
  /** @type {Record<string, string>} */
  const env = { JOBS_TEST_BACKENDS: backends.join(',') };
  for (const name of backends) await backendServices[name].prepare();
  const jestParameters = parameters.filter((parameter) => parameter !== NO_BUILD);
  if (needsBrowser(jestParameters)) env.JOBS_TEST_CHROMIUM = await requireChromium();
  if (needsPromtool(jestParameters)) env.JOBS_TEST_PROMTOOL = await requirePromtool();
  if (!parameters.includes(NO_BUILD)) await buildTargets(interruption);

  for (const name of backends) {
    interruption.check();
    const service = await backendServices[name].start();
    stops.push(service.stop);
    Object.assign(env, service.env);
  }
  // What compares times runs alone, unless the caller chose what runs.
  const runs = jestParameters.length > 0 ? [jestParameters] : [MEASURED, ['--ignoreProjects', 'measured']];
  const results = [];
  for (const each of runs) results.push(await runJest(interruption, each, env));
  const first = {
    code: results.find(({ code }) => code !== 0)?.code ?? 0,
    counts: sumOf(results.flatMap((result) => result.counts ?? [])),
    failedFiles: results.flatMap((result) => result.failedFiles ?? []),
  };
  if (jestParameters.length > 0 || process.env.JOBS_TEST_FULL) return first;
  return againAlone(first, (files) => runJest(interruption, ['--runInBand', '--runTestsByPath', ...files], env));
}

/** @type {import('./count-reporter.mjs').Counts | undefined} */
let counts;
try {
  const result = await run();
  counts = result.counts;
  process.exitCode = result.code;
} catch (error) {
  if (error instanceof UnknownBackendError) process.exitCode = USAGE_ERROR;
  else if (error instanceof InterruptedError) process.exitCode = interruption.exitCode;
  else process.exitCode = 1;
  console.error(`npm test: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  for (const stop of stops) await stop();
}
if (counts !== undefined) {
  console.log(countLine(counts));
  const file = process.env.JOBS_TEST_COUNT_FILE;
  if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
}
process.exit();
