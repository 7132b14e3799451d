import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {Record<string, string | { types: string, default: string }>} exports
 * @property {Record<string, string>} dependencies
 * @property {Record<string, string>} peerDependencies
 * @property {Record<string, { optional?: boolean }>} peerDependenciesMeta
 */

/**
 * @typedef {object} EntryPoint
 * @property {string} specifier what an app imports: `nestjs-jobs/http`
 * @property {string} reportName `http`, or `index` for the root
 * @property {string} types relative to the package
 * @property {string} code relative to the package
 */

export const PACKAGE_DIRECTORY = fileURLToPath(new URL('..', import.meta.url));
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** @returns {Manifest} */
export function readManifest() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
}

/** What an app can import, from the `exports` of package.json.
 * @param {Manifest} manifest
 * @returns {EntryPoint[]} */
export function entryPoints(manifest) {
  return Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'string'
      ? []
      : [
          {
            specifier: manifest.name + subpath.slice(1),
            reportName: subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '.'),
            types: target.types,
            code: target.default,
          },
        ],
  );
}
