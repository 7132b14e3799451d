import { execFileSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What a program says about its version; nothing when it does not run or says something else.
 * @param {string} path
 * @param {RegExp} pattern with the version as its first group */
export function versionOf(path, pattern) {
  try {
    return pattern.exec(
      execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )?.[1];
  } catch {
    return undefined;
  }
}
