/** Every major that the library supports and that is maintained. */
const VERSIONS = ['20', '22', '24'];

/**
 * @param {string[]} given versions of Node, and after `--` what goes to `npm test`
 * @returns {{ versions: string[], parameters: string[] }}
 */
export function matrixOf(given) {
  const end = given.indexOf('--');
  const versions = end === -1 ? given : given.slice(0, end);
  for (const version of versions) {
    if (!/^\d+(\.\d+){0,2}$/.test(version)) throw new UnknownVersionError(version);
  }
  return { versions: versions.length > 0 ? versions : VERSIONS, parameters: end === -1 ? [] : given.slice(end + 1) };
}

export class UnknownVersionError extends Error {
  /** @param {string} given */
  constructor(given) {
    super(
      `expected versions of Node and then, after --, what goes to npm test; ${JSON.stringify(given)} is no version. ` +
        'Example: npm run test:matrix -- 22 24 -- --selectProjects unit',
    );
  }
}
