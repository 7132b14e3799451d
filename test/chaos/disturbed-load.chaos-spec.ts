import { rm } from 'node:fs/promises';
import { backend } from '../chaos-runs/backend.js';
import type { ChaosReport } from '../chaos-runs/chaos-run.js';
import { STORES, type StartedStore } from '../chaos-runs/chaos-stores.js';
import { deploy } from '../chaos-runs/deploy.js';
import { embeddedProcess } from '../chaos-runs/embedded-process.js';
import { partition } from '../chaos-runs/partition.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { isFull, itIf, runsOn } from '../support/test-form.js';

const CHAOS_WORKER = new URL('../../dist/fixtures/test/fixtures/chaos-worker.js', import.meta.url);
const TIME = isFull ? 15 * 60_000 : 120_000;
const seed = isFull ? Date.now() % 2 ** 31 : 1;

async function keptPromises({ broken, counts, directory }: ChaosReport): Promise<ChaosReport['counts']> {
  // What is left of a run that went wrong tells why it did.
  expect({ seed, directory, broken }).toEqual({ seed, directory, broken: [] });
  await rm(directory, { recursive: true });
  return counts;
}

const serverBackends = backends.filter(({ name }) => name !== 'embedded');
const embedded = backends.filter(({ name }) => name === 'embedded');

// `describe.each` refuses an empty table: a run for one backend has nothing to do in the other's tests.
if (serverBackends.length > 0) {
  describe.each(serverBackends)('worker processes and a producer on $name', (server) => {
    let started: StartedStore;

    beforeEach(async () => {
      started = await STORES[server.name](true);
    });
    afterEach(() => started.stop());

    function requestOf(short: number, long: number, workers = 1) {
      const store = { connection: started.connection, namespace: uniqueNamespace() };
      const size = isFull ? { jobs: long, workers: 3 } : { jobs: short, workers };
      return { store, workerModule: CHAOS_WORKER, seed, server: started.server!, ...size };
    }

    itIf(
      runsOn(server, serverBackends, 0),
      '[C9] whose store is killed -9 and comes back: nothing acknowledged is lost, work goes on, health is 503 meanwhile',
      async () => {
        const outages = isFull ? [3, 30] : [1];
        const counts = await keptPromises(await backend({ ...requestOf(80, 2_000), outages }));
        expect(counts['in_flight_at_kill']).toBeGreaterThan(0);
        expect(counts['runs_again']).toBeGreaterThan(0);
      },
      TIME,
    );

    itIf(
      runsOn(server, serverBackends, 1),
      '[C8] whose workers are replaced by SIGTERM, one after the other: no attempt is spent and nothing is lost',
      async () => {
        const rolls = isFull ? 5 : 1;
        const counts = await keptPromises(await deploy({ ...requestOf(60, 2_000, 2), rolls }));
        expect(counts['runs_given_back']).toBeGreaterThan(0);
        expect(counts['restarts']).toBe(isFull ? 15 : 2);
      },
      TIME,
    );

    itIf(
      runsOn(server, serverBackends, 2),
      '[C9] behind a network that fails in all ways: nothing acknowledged is lost, and all ends when it is well again',
      async () => {
        const counts = await keptPromises(await partition({ ...requestOf(80, 3_000), seconds: isFull ? 60 : 1 }));
        for (const fault of ['refuse', 'swallow_all', 'half_close']) {
          expect(counts[`${fault}_episodes`]).toBeGreaterThan(0);
        }
        expect(counts['refused']).toBeGreaterThan(0);
      },
      TIME,
    );
  });
}

if (embedded.length > 0) {
  describe('the process of the embedded backend, which enqueues and works', () => {
    it(
      '[C2] is killed -9 and started again: nothing acknowledged is lost, and each run again is an attempt',
      async () => {
        const { connection, stop } = await STORES.embedded(true);
        const store = { connection, namespace: uniqueNamespace() };
        const size = isFull ? { jobs: 2_000, kills: 5 } : { jobs: 50, kills: 1 };
        const counts = await keptPromises(await embeddedProcess({ store, workerModule: CHAOS_WORKER, seed, ...size }));
        expect(counts['in_flight_at_kill']).toBeGreaterThan(0);
        await stop();
      },
      TIME,
    );
  });
}
