/** The backends that tests can run on, in the order in which they run. */
export const BACKEND_NAMES = /** @type {const} */ (['embedded', 'redis', 'postgres']);

/** @typedef {(typeof BACKEND_NAMES)[number]} BackendName */

/** What runs when nobody chooses: every backend that the library has.
 * @type {readonly BackendName[]} */
export const DEFAULT_BACKENDS = BACKEND_NAMES;

/** Reads the value of JOBS_TEST_BACKENDS: a comma list of names; nothing means the default.
 * @param {string | undefined} value
 * @returns {BackendName[]} */
export function selectBackends(value) {
  const names = (value ?? '').split(',').map((name) => name.trim());
  const asked = names.filter((name) => name !== '');
  const unknown = asked.filter((name) => !BACKEND_NAMES.some((known) => known === name));
  if (unknown.length > 0) {
    const list = unknown.map((name) => `"${name}"`).join(', ');
    throw new UnknownBackendError(`JOBS_TEST_BACKENDS: unknown ${list}; valid are ${BACKEND_NAMES.join(', ')}`);
  }
  return asked.length === 0 ? [...DEFAULT_BACKENDS] : BACKEND_NAMES.filter((name) => asked.includes(name));
}

export class UnknownBackendError extends Error {}
