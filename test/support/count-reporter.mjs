import { writeFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {Counts & { file: string }} FailedFile a file with a failed test, or that could not be loaded */
/** @typedef {Record<'numPassedTests' | 'numFailedTests' | 'numPendingTests' | 'numTodoTests' | 'numRuntimeErrorTestSuites', number>} JestCounts */
/** @typedef {Record<'numPassingTests' | 'numFailingTests' | 'numPendingTests' | 'numTodoTests', number> & { testFilePath: string, testExecError?: unknown }} FileResult */
/** @typedef {JestCounts & { testResults: FileResult[] }} JestResults */

/** Hands the counts to the runner, which prints them after everything else; without the runner it prints them itself. */
export default class CountReporter {
  /**
   * @param {unknown} _contexts
   * @param {JestResults} results
   */
  onRunComplete(_contexts, results) {
    const counts = countsOf(results);
    const file = process.env.JOBS_TEST_COUNT_FILE;
    if (file === undefined) console.log(countLine(counts));
    else writeFileSync(file, JSON.stringify({ counts, failedFiles: failedFilesOf(results) }));
  }
}

/** @param {JestResults} results
 * @returns {FailedFile[]} */
export function failedFilesOf({ testResults }) {
  return testResults
    .map((each) => ({
      file: each.testFilePath,
      passed: each.numPassingTests,
      failed: each.numFailingTests + (each.testExecError ? 1 : 0),
      skipped: each.numPendingTests + each.numTodoTests,
    }))
    .filter(({ failed }) => failed > 0);
}

/** @param {JestCounts} results
 * @returns {Counts} */
export function countsOf(results) {
  return {
    passed: results.numPassedTests,
    // A spec file that cannot be loaded has no tests to count and yet must not read as "0 failed".
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** @param {Counts} counts */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** @param {Counts[]} runs
 * @returns {Counts | undefined} nothing when no run came to count */
export function sumOf(runs) {
  return runs.reduce(
    /** @param {Counts | undefined} sum */ (sum, { passed, failed, skipped }) => ({
      passed: (sum?.passed ?? 0) + passed,
      failed: (sum?.failed ?? 0) + failed,
      skipped: (sum?.skipped ?? 0) + skipped,
    }),
    undefined,
  );
}
