import { jest } from '@jest/globals';

// Jest takes `testTimeout` from the root config alone, so each project hands its own over as a global.
const { TEST_TIMEOUT } = /** @type {{ TEST_TIMEOUT?: number }} */ (globalThis);
if (TEST_TIMEOUT === undefined) throw new Error('the Jest project sets no TEST_TIMEOUT in `globals`');
jest.setTimeout(TEST_TIMEOUT);
