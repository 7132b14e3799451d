import { delimiter, join } from 'node:path';
import { aptInstall, canAptInstall } from '../debian.mjs';
import { isExecutable, versionOf } from './program.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const FOLDERS = ['/usr/bin', '/usr/local/bin'];
const MAC = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The first Chromium or Chrome that runs. Ubuntu's `chromium-browser` may be a script that only says what to install.
 * @param {{ searchPath?: string, others?: readonly string[] }} [places]
 * @returns {string | undefined} */
export function findChromium({ searchPath = process.env.PATH ?? '', others = MAC } = {}) {
  const folders = new Set([...searchPath.split(delimiter).filter((folder) => folder !== ''), ...FOLDERS]);
  const inFolders = [...folders].flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...inFolders, ...others].find(isChromium);
}

/** The browser of the e2e tests: the one that CHROMIUM_PATH names, or one that is installed; installs one on Debian when
 * run as root, else says what to install.
 * @returns {Promise<string>} */
export async function requireChromium() {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined) {
    if (isChromium(named)) return named;
    throw new Error(`CHROMIUM_PATH is "${named}", which is no Chromium or Chrome that runs.`);
  }
  let path = findChromium();
  if (path === undefined && canAptInstall()) {
    // Ubuntu has it as a snap only: what apt-get has to say has been printed, and what to do comes below.
    await aptInstall('chromium').catch(() => undefined);
    path = findChromium();
  }
  if (path !== undefined) return path;
  throw new Error(
    [
      'the e2e tests need Chromium or Chrome in PATH, /usr/bin or /usr/local/bin, or CHROMIUM_PATH with its path.',
      '  Debian:           sudo apt-get update && sudo apt-get install -y chromium',
      '  Ubuntu:           sudo snap install chromium, and CHROMIUM_PATH=/snap/bin/chromium',
      '  macOS:            brew install --cask chromium',
      '  without browser:  npm test -- --ignoreProjects e2e measured',
    ].join('\n'),
  );
}

/** @param {string} path */
function isChromium(path) {
  return isExecutable(path) && versionOf(path, /^(?:Chromium|Google Chrome) (\d+[\d.]*)/m) !== undefined;
}
