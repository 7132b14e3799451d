import type { Holding, Line, LineSeen, Waiting } from '../../libs/jobs/src/backend/lines.js';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

const LONG = 60_000;
/** Soon over, and still longer than the few calls that a test makes meanwhile. */
const SHORT = 300;

describe.each(backends)('lines on $name', ({ connection }) => {
  let backend: QueueBackend;
  let count = 0;

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    backend = await openBackend(options, new MemoryLogger());
    await backend.whenReady(5_000);
  });
  afterAll(() => backend?.close(5_000));

  function line(places = 1, patience = LONG): Line {
    return { name: `odd:name/${++count} 'ä"`, places, patience };
  }

  const take = (at: Line, id: string, { ttl = LONG, stand = true, turn = undefined as number | undefined } = {}) =>
    backend.lines.take(at, id, { ttl, stand, ...(turn !== undefined && { turn }) });

  async function hold(at: Line, id: string, ttl = LONG): Promise<Holding> {
    const taken = await take(at, id, { ttl });
    if (taken.kind !== 'holds') throw new Error(`${id} waits`);
    return taken;
  }

  async function wait(at: Line, id: string, turn?: number): Promise<Waiting> {
    const taken = await take(at, id, { turn });
    if (taken.kind !== 'waits') throw new Error(`${id} holds a place`);
    return taken;
  }

  it('[I3] has one hold the place, and the others have it in the order in which they came', async () => {
    const door = line();
    const first = await hold(door, 'a');
    expect(first).toEqual({ kind: 'holds', fencingToken: expect.any(Number), wake: [] });
    const b = await wait(door, 'b');
    expect(b).toMatchObject({ ahead: 0, wake: [] });
    expect(b.freeIn).toBeGreaterThan(LONG / 2);
    expect(b.freeIn).toBeLessThanOrEqual(LONG);
    const c = await wait(door, 'c');
    expect(c).toMatchObject({ ahead: 1, wake: [] });
    expect(c.turn).toBeGreaterThan(b.turn!);
    expect(await wait(door, 'b')).toMatchObject({ turn: b.turn, ahead: 0 });

    expect(await backend.lines.isCalled(door, 'b')).toBe(false);
    expect(await backend.lines.free(door, 'a', first.fencingToken)).toEqual(['b']);
    expect(await backend.lines.isCalled(door, 'b')).toBe(true);
    // It is kept for the one that was called.
    expect(await wait(door, 'd')).toMatchObject({ ahead: 1 });
    expect(await wait(door, 'c')).toMatchObject({ ahead: 0, turn: c.turn });
    const second = await hold(door, 'b');
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    expect(await backend.lines.free(door, 'b', second.fencingToken)).toEqual(['c']);
    const third = await hold(door, 'c');
    expect(await backend.lines.free(door, 'c', third.fencingToken)).toEqual(['d']);
    const last = await hold(door, 'd');
    expect(await backend.lines.free(door, 'd', last.fencingToken)).toEqual([]);
  });

  it('[I3] gives whoever would not stand in line nothing, and no place in it', async () => {
    const door = line();
    const { fencingToken } = await hold(door, 'a');
    expect(await take(door, 'b', { stand: false })).toMatchObject({ kind: 'waits', turn: undefined, ahead: 0 });
    expect(await backend.lines.free(door, 'a', fencingToken)).toEqual([]);
    expect(await take(door, 'b', { stand: false })).toMatchObject({ kind: 'holds' });
  });

  it('[I3] gives fencing tokens that grow strictly, also over lines and after places expired', async () => {
    const tokens: number[] = [];
    for (const door of [line(), line()]) {
      for (let n = 0; n < 3; n++) {
        tokens.push((await hold(door, `dead-${n}`, 20)).fencingToken);
        const next = await eventually(async () => {
          const taken = await take(door, 'next', { stand: false });
          return taken.kind === 'holds' && taken;
        });
        tokens.push(next.fencingToken);
        expect(await backend.lines.free(door, 'next', next.fencingToken)).toEqual([]);
      }
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('[I3] gives who holds the place it again, and what it was given before is worth nothing then', async () => {
    const door = line();
    const before = await hold(door, 'a');
    const again = await hold(door, 'a');
    expect(again.fencingToken).toBeGreaterThan(before.fencingToken);
    expect(await backend.lines.renew(door, 'a', before.fencingToken, LONG)).toBe(false);
    expect(await backend.lines.free(door, 'a', before.fencingToken)).toEqual([]);
    expect(await backend.lines.renew(door, 'a', again.fencingToken, LONG)).toBe(true);
    await wait(door, 'b');
    expect(await backend.lines.free(door, 'a', again.fencingToken)).toEqual(['b']);
  });

  it('[I3] frees a place that is not renewed, and not one that is', async () => {
    const door = line();
    const dead = await hold(door, 'dead', 20);
    await eventually(async () => (await take(door, 'b', { ttl: SHORT })).kind === 'holds');
    expect(await backend.lines.renew(door, 'dead', dead.fencingToken, LONG)).toBe(false);
    expect(await backend.lines.free(door, 'dead', dead.fencingToken)).toEqual([]);
    const { fencingToken } = await hold(door, 'b', SHORT);
    expect(await backend.lines.renew(door, 'b', fencingToken, LONG)).toBe(true);
    expect((await wait(door, 'c')).freeIn).toBeGreaterThan(LONG / 2);
  });

  it('[I3] calls the next when the one that was called does not come, which has its turn when it comes', async () => {
    const door = line(1, 20);
    const { fencingToken } = await hold(door, 'a');
    const { turn } = await wait(door, 'late');
    await wait(door, 'b');
    await wait(door, 'c');
    expect(await backend.lines.free(door, 'a', fencingToken)).toEqual(['late']);
    const b = await eventually(async () => {
      const taken = await take(door, 'b');
      return taken.kind === 'holds' && taken;
    });
    expect(await backend.lines.isCalled(door, 'late')).toBe(true);
    expect(await wait(door, 'late', turn)).toMatchObject({ turn, ahead: 0 });
    expect(await backend.lines.free(door, 'b', b.fencingToken)).toEqual(['late']);
  });

  it('[I3] calls who waits behind one that left, whether it had been called or not', async () => {
    const door = line();
    const { fencingToken } = await hold(door, 'a');
    for (const id of ['b', 'c', 'd']) await wait(door, id);
    expect(await backend.lines.leave(door, 'b')).toEqual([]);
    expect(await backend.lines.free(door, 'a', fencingToken)).toEqual(['c']);
    expect(await backend.lines.leave(door, 'c')).toEqual(['d']);
    // Who was called and has not come is named again: whoever was to wake it may have died.
    expect(await backend.lines.leave(door, 'c')).toEqual(['d']);
    expect(await backend.lines.isCalled(door, 'd')).toBe(true);
  });

  it('[I3] lets whoever leaves with its place have none, and calls the next', async () => {
    const door = line();
    const { fencingToken } = await hold(door, 'a');
    await wait(door, 'b');
    expect(await backend.lines.leave(door, 'a')).toEqual([]);
    expect(await backend.lines.renew(door, 'a', fencingToken, LONG)).toBe(true);
    expect(await backend.lines.leave(door, 'a', true)).toEqual(['b']);
    expect(await backend.lines.renew(door, 'a', fencingToken, LONG)).toBe(false);
  });

  it('[I3] calls as many as there are places, also when a deploy made more of them', async () => {
    const room = line(2);
    const a = await hold(room, 'a');
    await hold(room, 'b');
    for (const id of ['c', 'd', 'e', 'f']) await wait(room, id);
    expect(await backend.lines.free(room, 'a', a.fencingToken)).toEqual(['c']);
    expect(await backend.lines.leave({ ...room, places: 4 }, 'nobody')).toEqual(['c', 'd', 'e']);
    expect(await wait({ ...room, places: 4 }, 'f')).toMatchObject({ ahead: 0 });
  });

  it('[I3] says of places that expired who is to be woken', async () => {
    const room = line(2);
    const holders = { a: await hold(room, 'a'), b: await hold(room, 'b') };
    const [c] = [await wait(room, 'c'), await wait(room, 'd'), await wait(room, 'e')];
    for (const [id, { fencingToken }] of Object.entries(holders)) await backend.lines.renew(room, id, fencingToken, 20);
    await eventually(async () => (await backend.lines.look(room, 'c', c!.turn!)).held === 0);
    const { kind, wake } = await take(room, 'c');
    expect({ kind, wake: wake.filter((id) => id !== 'c') }).toEqual({ kind: 'holds', wake: ['d'] });
    expect(await backend.lines.isCalled(room, 'e')).toBe(false);
  });

  it('[M4] shows who holds places and how many stand before a waiter, and changes nothing by that', async () => {
    const room = line(2);
    const look = (at: Line, { turn }: Waiting, id: string): Promise<LineSeen> => backend.lines.look(at, id, turn!);
    const before = Date.now();
    const a = await hold(room, 'a', LONG);
    await hold(room, 'b', 2 * LONG);
    const [c, d, e] = [await wait(room, 'c'), await wait(room, 'd'), await wait(room, 'e')];
    const seen = await look(room, e, 'e');
    expect(seen).toMatchObject({ held: 2, ahead: 2, isCalled: false });
    expect(seen.holders.map(({ id }) => id)).toEqual(['a', 'b']);
    // By clocks that need not be the same.
    expect(Math.abs(seen.holders[0]!.expiresAt - before - LONG)).toBeLessThan(LONG / 2);
    expect(await look(room, c, 'c')).toMatchObject({ ahead: 0, isCalled: false });

    await backend.lines.free(room, 'a', a.fencingToken);
    // It has not come yet, and will.
    expect(await look(room, d, 'd')).toMatchObject({ held: 1, ahead: 1, isCalled: false });
    expect(await look(room, c, 'c')).toMatchObject({ held: 1, ahead: 0, isCalled: true });
    expect(await look(line(), c, 'c')).toEqual({ holders: [], held: 0, ahead: 0, isCalled: false });
    expect(await wait(room, 'e')).toMatchObject({ ahead: 1, turn: e.turn });
  });

  it('[M4] shows neither places that expired nor waiters that were called and did not come', async () => {
    const room = line(1, 20);
    const a = await hold(room, 'a');
    const [b, c] = [await wait(room, 'b'), await wait(room, 'c')];
    await backend.lines.free(room, 'a', a.fencingToken);
    await eventually(async () => (await backend.lines.look(room, 'c', c.turn!)).ahead === 0);
    expect(await backend.lines.look(room, 'b', b.turn!)).toEqual({ holders: [], held: 0, ahead: 0, isCalled: false });
    const other = line();
    await hold(other, 'dead', 20);
    await eventually(async () => (await backend.lines.look(other, 'c', 1)).held === 0);
    expect((await backend.lines.look(other, 'c', 1)).holders).toEqual([]);
  });

  it('[M4] shows the first of many holders, and how many there are', async () => {
    const room = line(20);
    for (let n = 0; n < 20; n++) await hold(room, `holder-${n}`, LONG + n * LONG);
    const { holders, held } = await backend.lines.look(room, 'nobody', 1);
    expect(held).toBe(20);
    expect(holders.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `holder-${n}`));
  });

  it.each([1, 8, 32])(
    '[I3] never has more holders than places and forgets nobody, at concurrency %i',
    async (lanes) => {
      for (const places of [1, 3]) {
        const room = line(places);
        const [granted, turns] = [[] as string[], new Map<string, number>()];
        const calls = new Map<string, Signal>();
        let [inside, most, next] = [0, 0, 0];
        const wake = (ids: readonly string[]): void => ids.forEach((id) => calls.get(id)!.reach());
        const visit = async (id: string): Promise<void> => {
          calls.set(id, signal());
          for (;;) {
            const taken = await take(room, id);
            wake(taken.wake);
            if (taken.kind === 'holds') {
              granted.push(id);
              most = Math.max(most, ++inside);
              await new Promise(setImmediate);
              inside--;
              return wake(await backend.lines.free(room, id, taken.fencingToken));
            }
            turns.set(id, taken.turn!);
            await calls.get(id)!.reached;
            calls.set(id, signal());
          }
        };
        const lane = async (): Promise<void> => {
          while (next < 100) await visit(`visitor-${next++}`);
        };
        await Promise.all(Array.from({ length: lanes }, lane));
        expect(new Set(granted).size).toBe(100);
        expect(most).toBeLessThanOrEqual(places);
        const waited = granted.filter((id) => turns.has(id));
        const inTurn = [...waited].sort((a, b) => turns.get(a)! - turns.get(b)!);
        // With several places, two that are called together may come in any order.
        if (places === 1) expect(waited).toEqual(inTurn);
      }
    },
  );
});
