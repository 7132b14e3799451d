import { writeFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {Record<'numPassedTests' | 'numFailedTests' | 'numPendingTests' | 'numTodoTests' | 'numRuntimeErrorTestSuites', number>} JestResults */

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
    else writeFileSync(file, JSON.stringify(counts));
  }
}

/** @param {JestResults} results
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
