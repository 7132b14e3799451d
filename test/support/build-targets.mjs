import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runNode } from './process-group.mjs';

const NEST = fileURLToPath(import.meta.resolve('@nestjs/cli/bin/nest.js'));
const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));

/** Builds what tests start as processes of their own: the sample API and the fixtures.
 * @param {import('./interruption.mjs').Interruption} interruption */
export async function buildTargets(interruption) {
  const fixtures = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' });
  const hasFixtures = fixtures.some((file) => file.endsWith('.ts'));
  const projects = hasFixtures ? ['sample-api', 'fixtures'] : ['sample-api'];
  const ends = await Promise.all(
    projects.map((project) => interruption.whileRunning(() => runNode([NEST, 'build', project]))),
  );
  for (const [n, { code }] of ends.entries()) {
    if (code !== 0) throw new Error(`nest build ${projects[n]} ended with exit code ${code}`);
  }
}
