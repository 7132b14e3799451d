import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';

const APT_GET = '/usr/bin/apt-get';
const POLICY = '/usr/sbin/policy-rc.d';

export function canAptInstall() {
  if (process.getuid?.() !== 0) return false;
  try {
    accessSync(APT_GET, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Installs a package without starting its system service.
 * @param {string} name */
export async function aptInstall(name) {
  console.log(`Installing ${name} with apt-get ...`);
  // Debian asks this script before it starts a service; 101 means "do not".
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await aptGet(['update']);
    await aptGet(['install', '-y', '--no-install-recommends', name]);
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
}

/** @param {string[]} parameters */
function aptGet(parameters) {
  return new Promise((resolve, reject) => {
    const child = spawn(APT_GET, ['-q', ...parameters], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else reject(new Error(`apt-get ${parameters.join(' ')} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
