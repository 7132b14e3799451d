/**
 * @typedef {import('./count-reporter.mjs').Counts} Counts
 * @typedef {{ code: number, counts?: Counts, failedFiles?: import('./count-reporter.mjs').FailedFile[] }} Run
 */

/** More than these is no accident of a busy machine. */
const MOST_FILES = 3;

/**
 * Runs the few files that failed once more, with nothing beside them, and says so: thousands of tests of races and
 * crashes share two cores that others use too, and one that could not bear it is to be mended, but proves nothing
 * against the code. What fails by itself as well is a failure. Never when the caller chose what runs, nor in a full run.
 *
 * @param {Run} first
 * @param {(files: string[]) => Promise<Run>} runAgain
 * @param {(line: string) => void} [say]
 * @returns {Promise<Run>}
 */
export async function againAlone(first, runAgain, say = console.log) {
  const { counts, failedFiles = [] } = first;
  const explained = failedFiles.reduce((sum, { failed }) => sum + failed, 0);
  if (!counts || failedFiles.length === 0 || failedFiles.length > MOST_FILES || counts.failed !== explained)
    return first;
  say(`\n${failedFiles.length} of the files failed; once more, alone:`);
  const again = await runAgain(failedFiles.map(({ file }) => file));
  if (again.code === 0) for (const { file } of failedFiles) say(`FLAKY: ${file} failed beside others and passed alone`);
  const second = again.counts;
  if (!second) return first;
  return {
    code: again.code,
    failedFiles: again.failedFiles ?? [],
    counts: failedFiles.reduce(
      (sum, { passed, failed, skipped }) => ({
        passed: sum.passed - passed,
        failed: sum.failed - failed,
        skipped: sum.skipped - skipped,
      }),
      {
        passed: counts.passed + second.passed,
        failed: counts.failed + second.failed,
        skipped: counts.skipped + second.skipped,
      },
    ),
  };
}
