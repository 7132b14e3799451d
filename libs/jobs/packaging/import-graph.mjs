import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/**
 * @typedef {object} ImportGraph
 * @property {string[]} files files of ours that an import loads, by their paths
 * @property {number} bytes the size of these files
 * @property {Map<string, string>} packages what they import from outside, and the first file that does
 */

/** What importing an ES module loads at once: `import` and `export ... from`, and not `import()`.
 * @param {string} entry
 * @returns {ImportGraph} */
export function importGraph(entry) {
  /** @type {Map<string, string>} */
  const packages = new Map();
  const files = [entry];
  let bytes = 0;
  // Grows while it is walked.
  for (const file of files) {
    const code = readFileSync(file, 'utf8');
    bytes += Buffer.byteLength(code);
    for (const specifier of importsOf(file, code)) {
      if (specifier.startsWith('.')) {
        const target = join(dirname(file), specifier);
        if (!files.includes(target)) files.push(target);
      } else if (!isBuiltin(specifier)) {
        const name = packageOf(specifier);
        if (!packages.has(name)) packages.set(name, file);
      }
    }
  }
  return { files, bytes, packages };
}

/** @param {string} file
 * @param {string} code
 * @returns {string[]} */
function importsOf(file, code) {
  return ts
    .createSourceFile(file, code, ts.ScriptTarget.Latest)
    .statements.filter((statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))
    .flatMap(({ moduleSpecifier }) =>
      moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : [],
    );
}

/** @param {string} specifier
 * @returns {string} `@scope/name` of `@scope/name/deep/file.js` */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
