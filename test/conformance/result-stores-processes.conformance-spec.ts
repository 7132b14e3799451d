import type { StoreProcessSettings } from '../fixtures/result-store-process.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { openStore } from '../support/opened-store.js';
import { bodyOf, keysOf, newJob, randomBody, testStores, writtenOf, type TestPlace } from '../support/result-stores.js';
import { isFull, itIf, sized } from '../support/test-form.js';

const MB = 1024 * 1024;
/** Of a result; and how much memory it may take at most, which is less than it has. */
const [SIZE, BOUND] = isFull ? [200 * MB, 64 * MB] : [112 * MB, 80 * MB];
/** More than two parts of S3, the first of which then is at the server. */
const BEGUN = 12 * MB;
/** What is garbage is soon removed, so that it is what a store holds that is measured, and not when V8 removes what. */
const SMALL_YOUNG = '--max-semi-space-size=2';
const TIMEOUT = sized(240_000, 120_000);

describe.each(testStores)('processes and the store of large results: $name', ({ name, make }) => {
  let made: TestPlace;
  beforeEach(async () => {
    made = await make();
  });
  afterEach(() => made?.remove());

  function start(settings: Omit<StoreProcessSettings, 'place'>): ChildHandle {
    const whole: StoreProcessSettings = { place: made.place, ...settings };
    return spawnFixture('result-store-process', {
      env: { RESULT_STORE_SETTINGS: JSON.stringify(whole), NODE_OPTIONS: SMALL_YOUNG },
    });
  }

  /** How many bytes of memory two processes took for a result, one to write and one to read it. */
  async function measure(gathers = false): Promise<{ writing: number; reading: number }> {
    const key = `${newJob()}/result`;
    const took = async (does: 'write' | 'read'): Promise<number> => {
      const child = start({ key, does, size: SIZE, gathers });
      const [, bytes] = await child.waitForLine(/^TOOK (.*)$/, { timeout: TIMEOUT });
      await child.exited;
      return Number(bytes);
    };
    return { writing: await took('write'), reading: await took('read') };
  }

  it('[X2] what a killed process left of a result is found under its job, and removed', async () => {
    const job = newJob();
    const child = start({ key: `${job}/result`, does: 'hang', size: BEGUN });
    await child.waitForLine(/^BEGUN$/, { timeout: 60_000 });
    await child.kill('SIGKILL');
    const { store, close } = await openStore(made.place);
    expect(await store.read(`${job}/result`)).toBeUndefined();
    const left = await keysOf(store);
    expect(left).toEqual([expect.stringMatching(`^${job}/result`)]);
    const bytes = randomBody(100);
    expect(await store.write(`${job}/again`, bodyOf(bytes), 'text/plain')).toEqual(writtenOf(bytes));
    await store.remove(left);
    expect(await keysOf(store)).toEqual([`${job}/again`]);
    await close();
  });

  it(
    `[X2] passes ${SIZE / MB} MB through less than ${BOUND / MB} MB of memory`,
    async () => {
      const { writing, reading } = await measure();
      expect(writing).toBeLessThan(BOUND);
      expect(reading).toBeLessThan(BOUND);
    },
    2 * TIMEOUT,
  );

  itIf(
    name === 'files',
    '[X2] the measure of memory finds out a store that gathers',
    async () => {
      const { writing, reading } = await measure(true);
      expect(writing).toBeGreaterThan(BOUND);
      expect(reading).toBeGreaterThan(BOUND);
    },
    2 * TIMEOUT,
  );
});
