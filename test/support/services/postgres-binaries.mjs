import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { aptInstall, canAptInstall } from '../debian.mjs';
import { isExecutable, versionOf } from './program.mjs';

const MINIMUM = 13;
/** Where Debian and Ubuntu keep one folder for each major version, outside of PATH. */
const DEBIAN_ROOT = '/usr/lib/postgresql';

/** @typedef {{ postgres: string, initdb: string, version: string }} PostgresBinaries */

/** The first Postgres in PATH that is new enough, else the newest of Debian's, and what was passed over.
 * @param {{ searchPath?: string, debianRoot?: string }} [places]
 * @returns {{ found?: PostgresBinaries, tooOld: PostgresBinaries[] }} */
export function findPostgres({ searchPath = process.env.PATH ?? '', debianRoot = DEBIAN_ROOT } = {}) {
  const inPath = searchPath.split(delimiter).filter((folder) => folder !== '');
  /** @type {PostgresBinaries[]} */
  const tooOld = [];
  for (const folder of new Set([...inPath, ...debianFolders(debianRoot)])) {
    const [postgres, initdb] = [join(folder, 'postgres'), join(folder, 'initdb')];
    if (!isExecutable(postgres) || !isExecutable(initdb)) continue;
    const version = versionOf(postgres, /\(PostgreSQL\) (\d+[\w.]*)/);
    if (version === undefined) continue;
    const binaries = { postgres, initdb, version };
    if (Number.parseInt(version, 10) >= MINIMUM) return { found: binaries, tooOld };
    tooOld.push(binaries);
  }
  return { tooOld };
}

/** A usable Postgres; installs one on Debian and Ubuntu when run as root, else says what to install.
 * @returns {Promise<PostgresBinaries>} */
export async function requirePostgres() {
  let search = findPostgres();
  if (search.found === undefined && canAptInstall()) {
    await aptInstall('postgresql');
    search = findPostgres();
  }
  if (search.found !== undefined) return search.found;
  throw new Error(explainMissing(search.tooOld));
}

/** @param {string} root */
function debianFolders(root) {
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}

/** @param {PostgresBinaries[]} tooOld */
function explainMissing(tooOld) {
  const seen = tooOld.map(({ postgres, version }) => ` (${postgres} is ${version})`).join('');
  return [
    `the postgres backend needs the postgres and initdb of Postgres >= ${MINIMUM} in PATH or ${DEBIAN_ROOT}/*/bin${seen}.`,
    '  Debian, Ubuntu:    sudo apt-get update && sudo apt-get install -y postgresql',
    '  macOS:             brew install postgresql@17, and its bin folder in PATH',
    '  without Postgres:  JOBS_TEST_BACKENDS=embedded,redis npm test',
  ].join('\n');
}
