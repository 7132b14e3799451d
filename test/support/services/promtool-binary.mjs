import { delimiter, join } from 'node:path';
import { aptInstall, canAptInstall } from '../debian.mjs';
import { isExecutable, versionOf } from './program.mjs';

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];

/** The first promtool that runs.
 * @param {string} [searchPath]
 * @returns {string | undefined} */
export function findPromtool(searchPath = process.env.PATH ?? '') {
  const folders = new Set([...searchPath.split(delimiter).filter((folder) => folder !== ''), ...FOLDERS]);
  return [...folders].map((folder) => join(folder, 'promtool')).find(isPromtool);
}

/** What checks metrics and alert rules: the promtool that PROMTOOL_PATH names, or one that is installed; installs
 * Debian's package `prometheus` when run as root, else says what to install.
 * @returns {Promise<string>} */
export async function requirePromtool() {
  const named = process.env.PROMTOOL_PATH;
  if (named !== undefined) {
    if (isPromtool(named)) return named;
    throw new Error(`PROMTOOL_PATH is "${named}", which is no promtool that runs.`);
  }
  let path = findPromtool();
  if (path === undefined && canAptInstall()) {
    await aptInstall('prometheus').catch(() => undefined);
    path = findPromtool();
  }
  if (path !== undefined) return path;
  throw new Error(
    [
      'the conformance tests need promtool in PATH, /usr/bin or /usr/local/bin, or PROMTOOL_PATH with its path.',
      '  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus',
      '  macOS:           brew install prometheus',
      '  elsewhere:       the archive of prometheus.io/download has it',
    ].join('\n'),
  );
}

/** @param {string} path */
function isPromtool(path) {
  return isExecutable(path) && versionOf(path, /^promtool, version (\d+[\d.]*)/m) !== undefined;
}
