import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tsJest from 'ts-jest';

/** @param {string} file */
const read = (file) => readFileSync(new URL(import.meta.resolve(file)), 'utf8');
const compiler = ['ts-jest/package.json', 'typescript/package.json', '../../tsconfig.json'].map(read).join('\n');

/**
 * ts-jest with another key of its cache, which has all that tells one of our projects from another in it: on a fresh
 * machine each worker would compile the library again for each project.
 */
export default {
  /** @param {Parameters<typeof tsJest.default.createTransformer>[0]} options */
  createTransformer(options) {
    const transformer = tsJest.default.createTransformer(options);
    transformer.getCacheKey = (source, path, { supportsStaticESM }) =>
      createHash('sha256').update([compiler, path, supportsStaticESM, source].join('\0')).digest('hex');
    transformer.getCacheKeyAsync = async (...of) => transformer.getCacheKey(...of);
    return transformer;
  },
};
