import { delimiter, join } from 'node:path';
import { aptInstall, canAptInstall } from '../debian.mjs';
import { isExecutable, versionOf } from './program.mjs';

const MINIMUM = { major: 6, minor: 2 };
const MINIMUM_TEXT = `${MINIMUM.major}.${MINIMUM.minor}`;

/** @typedef {{ path: string, version: string }} RedisBinary */

/** The first redis-server that is new enough, and what was passed over.
 * @param {string | undefined} searchPath
 * @returns {{ found?: RedisBinary, tooOld: RedisBinary[] }} */
export function findRedisServer(searchPath = process.env.PATH) {
  const folders = new Set([...(searchPath ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']);
  /** @type {RedisBinary[]} */
  const tooOld = [];
  for (const folder of folders) {
    const path = join(folder, 'redis-server');
    if (folder === '' || !isExecutable(path)) continue;
    const version = versionOf(path, / v=(\d+\.\d+[\w.-]*)/);
    if (version === undefined) continue;
    if (isNewEnough(version)) return { found: { path, version }, tooOld };
    tooOld.push({ path, version });
  }
  return { tooOld };
}

/** The path of a usable redis-server; installs one on Debian and Ubuntu when run as root, else says what to install.
 * @returns {Promise<string>} */
export async function requireRedisServer() {
  let search = findRedisServer();
  if (search.found === undefined && canAptInstall()) {
    await aptInstall('redis-server');
    search = findRedisServer();
  }
  if (search.found !== undefined) return search.found.path;
  throw new Error(explainMissing(search.tooOld));
}

/** @param {RedisBinary[]} tooOld */
function explainMissing(tooOld) {
  const seen = tooOld.map(({ path, version }) => ` (${path} is ${version})`).join('');
  return [
    `the redis backend needs redis-server >= ${MINIMUM_TEXT} in PATH, /usr/bin or /usr/local/bin${seen}.`,
    '  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y redis-server',
    '  macOS:           brew install redis',
    '  without redis:   JOBS_TEST_BACKENDS=embedded npm test',
  ].join('\n');
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MINIMUM.major || (major === MINIMUM.major && minor >= MINIMUM.minor);
}
