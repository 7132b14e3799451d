// A file without a test fails in Jest, and these have none in a run that leaves Postgres, or every server, out.
const POSTGRES_ONLY = ['/test/(conformance|chaos)/postgres[^/]*$', '/test/conformance/event-window'];
/** What needs a server, which several processes can have at once. */
const SERVERS_ONLY = [
  '/test/chaos/(fleet-messages|fleet-processes|live|metrics|metrics-outage|outage-http|watchdog)\\.',
  '/test/conformance/(beside-nestjs-bullmq|fleet-control-processes|schedules-fleet|secrets|unique-processes)\\.',
  '/test/e2e/cli(-does)?\\.',
];
const { JOBS_TEST_BACKENDS } = process.env;
const chosen = JOBS_TEST_BACKENDS?.split(',').map((name) => name.trim());
const leftOut = [
  ...(chosen && !chosen.includes('postgres') ? POSTGRES_ONLY : []),
  ...(chosen?.every((name) => name === 'embedded') ? SERVERS_ONLY : []),
];

/** @param {string} displayName @param {string} testMatch @param {number} testTimeout @param {string[]} [setup] */
const project = (displayName, testMatch, testTimeout, setup = []) => ({
  displayName,
  // That of the cache, too.
  id: 'nestjs-jobs',
  testMatch: [`<rootDir>/${testMatch}`],
  testEnvironment: 'node',
  clearMocks: true,
  extensionsToTreatAsEsm: ['.ts'],
  globals: { TEST_TIMEOUT: testTimeout },
  setupFilesAfterEnv: ['<rootDir>/test/jest-esm-bridge.mjs', '<rootDir>/test/support/test-timeout.mjs', ...setup],
  testPathIgnorePatterns: ['/node_modules/', ...leftOut],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/libs/jobs/dist/'],
  moduleNameMapper: {
    '^nestjs-jobs$': '<rootDir>/libs/jobs/src/index.ts',
    '^nestjs-jobs/(.*)$': '<rootDir>/libs/jobs/src/$1/index.ts',
    // TypeScript writes `./x.js` for `./x.ts`; a file that really is JavaScript comes first.
    '^(\\.{1,2}/.*)\\.js$': ['$1.js', '$1.ts'],
  },
  transform: {
    '^.+\\.ts$': ['<rootDir>/test/support/transform.mjs', { useESM: true, tsconfig: '<rootDir>/tsconfig.json' }],
  },
});

export default {
  coverageProvider: 'v8',
  collectCoverageFrom: ['libs/*/src/**/*.ts'],
  // More than cores: much of a test is waiting. PGlite needs close to 1 GB in each, and e2e and chaos start processes.
  maxWorkers: 4,
  workerIdleMemoryLimit: '1GB',
  reporters: ['default', '<rootDir>/test/support/count-reporter.mjs'],
  projects: [
    project('unit', '{libs,apps,test}/**/*.spec.ts', 20_000),
    project('conformance', 'test/conformance/**/*.conformance-spec.ts', 60_000, [
      '<rootDir>/test/support/spare-databases.ts',
    ]),
    project('e2e', 'test/e2e/**/*.e2e-spec.ts', 60_000),
    // Compares times, so nothing else may run beside it: npm test runs it alone.
    project('measured', 'test/measured/**/*.measured-spec.ts', 120_000),
    // Installs packages from the registry that npm is set to.
    project('package', 'test/package/**/*.package-spec.ts', 240_000),
    project('chaos', 'test/chaos/**/*.chaos-spec.ts', 120_000),
  ],
};
