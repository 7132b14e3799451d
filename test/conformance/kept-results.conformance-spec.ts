import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { Kept, Mismatch } from '../../libs/jobs/src/backend/kept-results.js';
import type { Holding, Line, Waiting } from '../../libs/jobs/src/backend/lines.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const LONG = 3_600_000;
const KEEP = { fingerprint: 'f', value: '{"b":1,"a":[2]}', keepFor: LONG };

type Claimed = Holding | Waiting | Kept | Mismatch;

describe.each(backends)('kept results on $name', (backend) => {
  let app: JobsApp;
  let store: QueueBackend;
  let count = 0;

  beforeAll(async () => {
    app = await startJobsApp({ backend, options: { workers: false } });
    store = app.app.get(QUEUE_BACKEND);
    await app.jobs.purge('default');
  });
  afterAll(() => app.close());

  const newLine = (): Line => ({ name: `once:odd/key ${++count} 'ä"`, places: 1, patience: LONG });

  const claim = (line: Line, id: string, more: { fingerprint?: string; ttl?: number; stand?: boolean } = {}) =>
    store.keptResults.claim(line, id, { ttl: LONG, stand: true, fingerprint: 'f', ...more });

  async function held(line: Line, id: string, ttl = LONG): Promise<number> {
    const claimed: Claimed = await claim(line, id, { ttl });
    if (claimed.kind !== 'holds') throw new Error(`${id} ${claimed.kind}`);
    return claimed.fencingToken;
  }

  it('[I1] has one claim a key, and gives its result to all others', async () => {
    const line = newLine();
    const fencingToken = await held(line, 'a');
    expect(await claim(line, 'b')).toMatchObject({ kind: 'waits', ahead: 0, wake: [] });
    expect(await claim(line, 'c')).toMatchObject({ kind: 'waits' });
    expect(await claim(line, 'd', { stand: false })).toMatchObject({ kind: 'waits', turn: undefined });
    expect(await store.lines.isCalled(line, 'b')).toBe(false);
    expect(await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken })).toEqual(['b', 'c']);
    expect(await store.lines.isCalled(line, 'b')).toBe(true);
    for (const id of ['a', 'c', 'e']) {
      expect(await claim(line, id)).toMatchObject({ kind: 'kept', by: 'a', value: KEEP.value });
    }
  });

  it('[I1] has those that nobody woke woken by the first of them that comes, once', async () => {
    const line = newLine();
    const fencingToken = await held(line, 'a');
    for (const id of ['b', 'c', 'd']) await claim(line, id);
    // Its process dies now.
    await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken });
    expect((await claim(line, 'c')).wake).toEqual(['b', 'd']);
    expect((await claim(line, 'b')).wake).toEqual([]);
  });

  it('[I1] keeps a result once, and says so again to whoever did not hear it', async () => {
    const line = newLine();
    const fencingToken = await held(line, 'a');
    await claim(line, 'b');
    for (let n = 0; n < 2; n++) {
      expect(await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken })).toEqual(['b']);
    }
    expect(await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken: fencingToken - 1 })).toBeUndefined();
    expect(await store.keptResults.keep(line, 'z', { ...KEEP, fencingToken: 1 })).toBeUndefined();
    expect(await claim(line, 'b')).toMatchObject({ kind: 'kept', by: 'a' });
  });

  it('[I1] refuses a key for something else while it runs and when it has ended, and not when it has failed', async () => {
    const line = newLine();
    const first = await held(line, 'a');
    expect(await claim(line, 'b', { fingerprint: 'g' })).toMatchObject({ kind: 'mismatch', by: 'a', wake: [] });
    expect(await claim(line, 'b')).toMatchObject({ kind: 'waits' });
    expect(await store.lines.free(line, 'a', first)).toEqual(['b']);
    expect(await claim(line, 'b', { fingerprint: 'g' })).toMatchObject({ kind: 'holds' });
    expect(await claim(line, 'c')).toMatchObject({ kind: 'mismatch', by: 'b' });
    const again = await claim(line, 'b', { fingerprint: 'g' });
    const { fencingToken } = again as Holding;
    await store.keptResults.keep(line, 'b', { ...KEEP, fingerprint: 'g', fencingToken });
    expect(await claim(line, 'd')).toMatchObject({ kind: 'mismatch', by: 'b' });
    expect(await claim(line, 'd', { fingerprint: 'g' })).toMatchObject({ kind: 'kept', by: 'b' });
  });

  it('[I1] keeps nothing of one whose claim somebody else has, or has had; and what nobody took since it keeps', async () => {
    const line = newLine();
    const lost = await held(line, 'a', 20);
    const own = await eventually(async () => {
      const claimed = await claim(line, 'b', { ttl: 20 });
      return claimed.kind === 'holds' && claimed.fencingToken;
    });
    expect(own).toBeGreaterThan(lost);
    expect(await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken: lost })).toBeUndefined();
    // Has expired, and nobody has come since.
    await eventually(async () => !(await store.lines.renew(line, 'nobody', own, LONG)));
    expect(await store.keptResults.keep(line, 'b', { ...KEEP, fencingToken: own })).toEqual([]);
    expect(await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken: lost })).toBeUndefined();
    expect(await claim(line, 'c')).toMatchObject({ kind: 'kept', by: 'b' });
  });

  it('[I1] forgets a result when its time is over', async () => {
    const line = newLine();
    const fencingToken = await held(line, 'a');
    await store.keptResults.keep(line, 'a', { ...KEEP, fencingToken, keepFor: 20 });
    await eventually(async () => expect(await claim(line, 'b', { fingerprint: 'g' })).toMatchObject({ kind: 'holds' }));
  });

  it.each([1, 8, 32])('[I1] lets one of many through for each key, at concurrency %i', async (lanes) => {
    const lines = Array.from({ length: 5 }, newLine);
    const kept = new Map<Line, string[]>();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < 100) {
        const n = next++;
        const line = lines[n % lines.length]!;
        const id = `job ${n}`;
        for (let tries = 0; ; tries++) {
          const claimed = await claim(line, id, { stand: false });
          if (claimed.kind === 'kept') break;
          if (claimed.kind === 'mismatch') throw new Error('nobody asked for anything else');
          if (claimed.kind === 'waits') continue;
          const { fencingToken } = claimed;
          // The first one of each key fails.
          if (n < lines.length) await store.lines.free(line, id, fencingToken);
          else {
            kept.set(line, [...(kept.get(line) ?? []), id]);
            await store.keptResults.keep(line, id, { ...KEEP, fencingToken });
          }
          break;
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    expect([...kept.values()].map(({ length }) => length)).toEqual([1, 1, 1, 1, 1]);
  });
});
