import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobStatus } from 'nestjs-jobs';
import {
  GAPS,
  paymentOptions,
  PaymentTasks,
  readPayments,
  SETTINGS_VARIABLE,
  type PaymentEntry,
  type PaymentSettings,
} from '../fixtures/payment-tasks.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { startJobsApp } from '../support/jobs-app.js';
import { isFull, itIf, runsOn, sized } from '../support/test-form.js';

const [FIRST, SECOND, THIRD] = ['own_first', 'default_second', 'default_third'] as const;
const DIED = { code: null, signal: 'SIGKILL' };
const HOUR = 3_600_000;
const [MIDDLE, EFFECT, KEPT] = GAPS;

describe.each(backends)('processes with idempotent jobs on $name', (backend) => {
  let directory: string;
  let shared: Omit<PaymentSettings, 'does'>;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jobs-payments-'));
    const ledger = join(directory, 'payments');
    await writeFile(ledger, '');
    const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
    shared = { connection, namespace: uniqueNamespace(), ledger };
    PaymentTasks.ledger = ledger;
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const start = (settings: Pick<PaymentSettings, 'does' | 'claimTtl'>): ChildHandle =>
    spawnFixture('payment-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify({ ...shared, ...settings }) } });

  /** Has a process die there, and this one go on. The entries are those of the dead one. */
  async function dies(settings: Pick<PaymentSettings, 'does' | 'claimTtl'>): Promise<PaymentEntry[]> {
    const victim = start(settings);
    expect({ ...(await victim.exited), stderr: victim.stderr }).toEqual({ ...DIED, stderr: [] });
    return readPayments(shared.ledger);
  }

  /** How the jobs end, in this process. */
  async function ends(...ids: string[]): Promise<JobStatus[]> {
    const { jobs, close } = await startJobsApp({ backend, providers: [PaymentTasks], options: paymentOptions(shared) });
    for (const id of ids) await jobs.job(id).result({ timeout: '1m' });
    const statuses = await Promise.all(ids.map((id) => jobs.job(id).status()));
    await close();
    return statuses;
  }

  const told = (what: PaymentEntry['what']): PaymentEntry[] =>
    readPayments(shared.ledger).filter((entry) => entry.what === what);

  const deaths = [
    { gap: MIDDLE, effects: [2] },
    { gap: EFFECT, effects: [1, 2] },
  ].filter(({ gap }, n) => (isFull || gap === MIDDLE) && runsOn(backend, backends, n + 1));
  // `it.each` refuses an empty table.
  for (const death of deaths)
    it.each([death])(
      '[I1] [I2] [I3] killed $gap: the job has its key back at once when it runs again',
      async ({ gap, effects }) => {
        // With a claim of an hour, no job but its own can run.
        const [before] = await dies({ does: gap, claimTtl: HOUR });
        const [first, second] = await ends(FIRST, SECOND);
        expect(told('began')).toEqual([before, { ...before, attempt: 2, pid: process.pid, nonce: expect.any(String) }]);
        expect(told('effect').map(({ id, attempt }) => [id, attempt])).toEqual(
          effects.map((attempt) => [FIRST, attempt]),
        );
        const { nonce } = told('began')[1]!;
        expect(nonce).not.toBe(before!.nonce);
        expect(first).toMatchObject({ state: 'succeeded', attempt: 2, result: { nonce } });
        expect(first).not.toHaveProperty('deduplicatedBy');
        expect(second).toMatchObject({ state: 'succeeded', attempt: 1, result: { nonce }, deduplicatedBy: FIRST });
        expect(new Set(readPayments(shared.ledger).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
      },
    );

  itIf(
    runsOn(backend, backends, 2),
    `[I1] [I2] killed ${EFFECT}: one of the two runs, and both have its result`,
    async () => {
      const [before] = await dies({ does: EFFECT });
      const statuses = await ends(FIRST, SECOND);
      const [ofDead, again, ...more] = told('began');
      expect([ofDead, more]).toEqual([before, []]);
      expect(again).toMatchObject({ pid: process.pid, idempotencyKey: before!.idempotencyKey });
      for (const { id, ...status } of statuses) {
        expect(status).toMatchObject({ state: 'succeeded', result: { nonce: again!.nonce } });
        expect(status.deduplicatedBy).toBe(id === again!.id ? undefined : again!.id);
      }
    },
  );

  itIf(
    runsOn(backend, backends, 3),
    `[I1] killed ${KEPT}: it is not run again, and has the result that was kept`,
    async () => {
      const before = await dies({ does: KEPT });
      const [first, second] = await ends(FIRST, SECOND);
      expect(readPayments(shared.ledger)).toEqual(before);
      expect(before.map(({ what, id }) => [what, id])).toEqual([
        ['began', FIRST],
        ['effect', FIRST],
      ]);
      const { nonce } = before[0]!;
      expect(first).toMatchObject({ state: 'succeeded', attempt: 2, result: { nonce } });
      expect(first).not.toHaveProperty('deduplicatedBy');
      expect(second).toMatchObject({ state: 'succeeded', attempt: 1, result: { nonce }, deduplicatedBy: FIRST });
    },
  );

  itIf(
    runsOn(backend, backends, 4),
    '[I1] [I3] a run of many leases keeps its key while its process lives, whoever waits for it',
    async () => {
      // An embedded database has one process only.
      const count = backend.name === 'embedded' ? 0 : sized(2, 1);
      const others = Array.from({ length: count }, () => start({ does: 'works' }));
      await Promise.all(others.map((other) => other.waitForLine(/^READY$/)));
      const owner = start({ does: 'stays' });
      await owner.waitForLine(/^DONE$/, { timeout: 90_000 });
      await Promise.all([owner, ...others].map((each) => each.kill('SIGKILL')));
      const statuses = await ends(FIRST, SECOND, THIRD);
      const [began, effect, ...more] = readPayments(shared.ledger);
      expect([began?.what, effect?.what, more]).toEqual(['began', 'effect', []]);
      for (const { id, ...status } of statuses) {
        expect(status).toMatchObject({ state: 'succeeded', attempt: 1, result: { nonce: began!.nonce } });
        expect(status.deduplicatedBy).toBe(id === FIRST ? undefined : FIRST);
      }
    },
  );
});
