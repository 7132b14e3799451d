import { execFileSync } from 'node:child_process';

/** @typedef {{ uid?: number, gid?: number }} Account */

const CANDIDATES = ['postgres', 'nobody'];

/** Who a server runs as that refuses to run as root: ourselves, or when we are root an account without rights.
 * @param {{ ownId?: number, accounts?: string[] }} [who]
 * @returns {Account} to be spread into the options of `spawn` */
export function serverAccount({ ownId = process.getuid?.(), accounts = CANDIDATES } = {}) {
  if (ownId !== 0) return {};
  for (const name of accounts) {
    const [uid, gid] = [idOf(name, '-u'), idOf(name, '-g')];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(
    `Postgres does not run as root, and there is no user ${accounts.join(' or ')} to run it as: ` +
      'create one, or run the tests as another user',
  );
}

/**
 * @param {string} name
 * @param {'-u' | '-g'} which
 */
function idOf(name, which) {
  try {
    const output = execFileSync('id', [which, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(output);
  } catch {
    return undefined;
  }
}
