// Part of npm run pack:lib, after the build: how big the package is, what each subpath loads, and how long that takes.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { importGraph } from './import-graph.mjs';
import { importTime } from './import-time.mjs';
import { entryPoints, PACKAGE_DIRECTORY, readManifest } from './manifest.mjs';

/** A budget is a round number to think about, so only what passes it clearly fails. */
const TOLERANCE = 1.2;
const BUDGET_FILE = 'libs/jobs/packaging/size-budget.json';

/** @typedef {{ what: string, budget: string, value: number, unit: 'kB' | '%' | 'files' }} Measure */

const manifest = readManifest();
/** @type {Record<string, number>} */
const budgets = JSON.parse(readFileSync(new URL('size-budget.json', import.meta.url), 'utf8'));
/** @type {string[]} */
const problems = [];

/** @returns {Measure[]} */
function tarballSize() {
  const args = ['pack', '--dry-run', '--json', '--loglevel=error'];
  const answer = JSON.parse(execFileSync('npm', args, { cwd: PACKAGE_DIRECTORY, encoding: 'utf8' }));
  // npm answers with a list up to version 11, and from then on with an object.
  const [tarball] = Object.values(answer);
  return [
    { what: 'packed', budget: 'packed', value: toKilobytes(tarball.size), unit: 'kB' },
    { what: 'unpacked', budget: 'unpacked', value: toKilobytes(tarball.unpackedSize), unit: 'kB' },
    { what: 'in the package', budget: 'files', value: tarball.entryCount, unit: 'files' },
  ];
}

/** @param {import('./manifest.mjs').EntryPoint} entry
 * @returns {Measure} */
function loadedBy({ specifier, code }) {
  const { files, bytes, packages } = importGraph(join(PACKAGE_DIRECTORY, code));
  for (const [name, importer] of packages) checkPackage(name, relative(PACKAGE_DIRECTORY, importer), specifier);
  const what = `${specifier} loads ${files.length} files`;
  return { what, budget: specifier, value: toKilobytes(bytes), unit: 'kB' };
}

/** @param {string} name
 * @param {string} importer
 * @param {string} specifier */
function checkPackage(name, importer, specifier) {
  const isRequired = name in manifest.peerDependencies && !manifest.peerDependenciesMeta[name]?.optional;
  if (name in manifest.dependencies || isRequired) return;
  const reason =
    name in manifest.peerDependencies
      ? 'which is an optional peer. Import its types only, or load it with importPeer where it is used: a missing peer ' +
        'must name itself, and an `import` fails before it can'
      : 'which is neither in dependencies nor in peerDependencies of libs/jobs/package.json';
  problems.push(`${specifier}: ${importer} imports ${name}, ${reason}.`);
}

/** @param {import('./manifest.mjs').EntryPoint} root
 * @returns {Measure} */
function timeToImport({ specifier, code }) {
  const entry = new URL(`../${code}`, import.meta.url).href;
  const { packages } = importGraph(join(PACKAGE_DIRECTORY, code));
  const { own, outside } = importTime(
    entry,
    [...packages.keys()].map((name) => import.meta.resolve(name)),
  );
  const names = [...packages.keys()].join(', ');
  // A share, because milliseconds are those of the machine.
  return {
    what: `${specifier} takes ${own.toFixed(0)} ms to import, and what it imports (${names}) ${outside.toFixed(0)} ms`,
    budget: 'import time',
    value: Math.round((100 * own) / outside),
    unit: '%',
  };
}

/** @param {number} bytes
 * @returns {number} */
function toKilobytes(bytes) {
  return Math.round(bytes / 100) / 10;
}

/** @param {Measure} measure */
function print({ what, budget, value, unit }) {
  const limit = budgets[budget];
  if (limit === undefined) {
    problems.push(`${BUDGET_FILE} has no "${budget}"; add it. It is ${value} ${unit} now.`);
  } else if (value > limit * TOLERANCE) {
    problems.push(
      `${what}: ${value} ${unit} is far above the budget of ${limit} ${unit}. Make it smaller, or raise "${budget}" in ` +
        `${BUDGET_FILE} with the change that needs it.`,
    );
  }
  const remark = limit === undefined ? '' : `(budget ${limit})${value > limit ? ' above it' : ''}`;
  console.log(`${`${value} ${unit}`.padStart(11)}  ${what} ${remark}`);
}

const entries = entryPoints(manifest);
const [root] = entries;
if (root === undefined) throw new Error('libs/jobs/package.json has no exports.');

console.log('\nSize of the package:');
for (const measure of [...tarballSize(), ...entries.map(loadedBy), timeToImport(root)]) print(measure);

if (problems.length > 0) {
  console.error(`\n${problems.join('\n')}`);
  process.exitCode = 1;
}
