import { countLine, countsOf } from './count-reporter.mjs';

describe('the last line of npm test', () => {
  const results = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };

  it('leaves out what is zero only for skipped tests', () => {
    expect(countLine(countsOf({ ...results, numRuntimeErrorTestSuites: 0 }))).toBe('3 passed, 0 failed');
    expect(countLine(countsOf({ ...results, numTodoTests: 2, numRuntimeErrorTestSuites: 0 }))).toBe(
      '3 passed, 0 failed, 2 skipped',
    );
  });

  it('counts a spec file that cannot be loaded as failed', () => {
    expect(countsOf({ ...results, numRuntimeErrorTestSuites: 1 }).failed).toBe(1);
  });
});
