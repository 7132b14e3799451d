import { spawnSync } from 'node:child_process';

const RUNS = 7;
const MEASURE = `
const importAll = async (specifiers) => {
  const start = performance.now();
  for (const specifier of specifiers) await import(specifier);
  return performance.now() - start;
};
const [entry, ...packages] = process.argv.slice(1);
const outside = await importAll(packages);
console.log(JSON.stringify({ outside, own: await importAll([entry]) }));`;

/** @typedef {{ outside: number, own: number }} ImportTime milliseconds: of the packages it imports, then of itself */

/**
 * The median of several new processes.
 * @param {string} entry the URL of a module
 * @param {string[]} packages the URLs of what it imports from outside
 * @returns {ImportTime}
 */
export function importTime(entry, packages) {
  const runs = Array.from({ length: RUNS }, () => measure(entry, packages));
  return { outside: median(runs.map(({ outside }) => outside)), own: median(runs.map(({ own }) => own)) };
}

/** @param {string} entry
 * @param {string[]} packages
 * @returns {ImportTime} */
function measure(entry, packages) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', MEASURE, entry, ...packages],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${entry} cannot be imported:\n${stderr}`);
  return JSON.parse(stdout);
}

/** @param {number[]} values
 * @returns {number} */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
