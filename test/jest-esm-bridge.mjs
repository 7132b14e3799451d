// CommonJS packages that require() Nest (@willsoto/nestjs-prometheus) cannot load it in Jest's ESM mode: give them the
// ESM namespaces. Imports are not affected, and there is one copy of every class.
import { jest } from '@jest/globals';

// Nest takes longer to load than most unit tests to run.
const NEEDS_IT = /metrics|[/]apps[/]/;

if (NEEDS_IT.test(expect.getState().testPath ?? '')) {
  const [common, core] = await Promise.all([import('@nestjs/common'), import('@nestjs/core')]);
  jest.mock('@nestjs/common', () => common);
  jest.mock('@nestjs/core', () => core);
}
