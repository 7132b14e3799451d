import { chromium, type Browser } from 'playwright-core';

/** The browser that the runner has found or installed; the caller closes it. */
export function startBrowser(): Promise<Browser> {
  const executablePath = process.env['JOBS_TEST_CHROMIUM'];
  if (!executablePath) {
    throw new Error('JOBS_TEST_CHROMIUM is not set: run the tests with `npm test`, which looks for a browser');
  }
  // Its sandbox refuses to work for root.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}
