// Installs what the tests on the selected backends, in a browser and of metrics need, or says what to install.
import { selectBackends } from './backend-selection.mjs';
import { requireChromium } from './services/chromium-binary.mjs';
import { backendServices } from './services/index.mjs';
import { requirePromtool } from './services/promtool-binary.mjs';

try {
  for (const name of selectBackends(process.env.JOBS_TEST_BACKENDS)) await backendServices[name].prepare();
  await requireChromium();
  await requirePromtool();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
