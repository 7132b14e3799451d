import { setTimeout as pause } from 'node:timers/promises';
import type { Ticket } from '../../libs/jobs/src/backend/limits.js';
import { backends } from '../support/backends.js';
import { HOUR, limitBuckets, rule } from '../support/limit-buckets.js';

/** A double has a quarter of a microsecond of a time since 1970. */
const EPSILON = 1e-3;

describe.each(backends)('limits on $name', (backend) => {
  const { newBucket, limits, take, granted, limited, ticketOf, granting } = limitBuckets(backend);

  /** Never more than `most` plus what comes in at `rate` (per ms), from any grant to any later one. */
  function expectNever(grants: { at: number; cost: number }[], most: number, rate: number): void {
    const inOrder = [...grants].sort((a, b) => a.at - b.at);
    for (let from = 0; from < inOrder.length; from++) {
      let sum = 0;
      for (const { at, cost } of inOrder.slice(from)) {
        sum += cost;
        expect(sum).toBeLessThanOrEqual(most + rate * (at - inOrder[from]!.at) + EPSILON);
      }
    }
  }

  function expectNeverInAnyWindow(grants: { at: number; cost: number }[], limit: number, period: number): void {
    for (const { at: from } of grants) {
      const inside = grants.filter(({ at }) => at >= from && at < from + period);
      expect(inside.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(limit);
    }
  }

  it('[L3] grants a burst at once, and reserves times at the pace of the limit for the others, in their order', async () => {
    const bucket = newBucket();
    const by = rule(10, HOUR, 'token-bucket', 3);
    const first = await granted(bucket, by);
    expect(first.wait).toBe(0);
    await granted(bucket, by, { cost: 2 });
    const tickets: Ticket[] = [];
    for (const cost of [1, 2, 1]) tickets.push(await ticketOf(bucket, by, { cost }));
    expect(tickets.map(({ round }) => round)).toEqual([1, 1, 1]);
    const [a, b, c] = tickets.map(({ at }) => at) as [number, number, number];
    // An empty bucket has what it costs after so long; what came in between the first grants was in it already.
    expect(a).toBeGreaterThanOrEqual(first.at + HOUR / 10 - EPSILON);
    expect(b - a).toBeCloseTo(HOUR / 10, 2);
    expect(c - b).toBeCloseTo((2 * HOUR) / 10, 2);
    const last = await limited(bucket, by);
    expect(last.ticket!.at - c).toBeCloseTo(HOUR / 10, 2);
    expect(last.wait).toBeLessThanOrEqual(Math.ceil(last.ticket!.at - first.at));
    // One that comes early keeps its ticket.
    const early = await limited(bucket, by, { ticket: tickets[1]! });
    expect(early.ticket).toEqual(tickets[1]);
    expect(early.wait).toBeGreaterThan(1);
  });

  it('[L3] reserves no time that is too far away, and says how far', async () => {
    const bucket = newBucket();
    const by = rule(1, HOUR);
    await granted(bucket, by);
    const none = await limited(bucket, by, { maxWait: 0 });
    expect(none.ticket).toBeUndefined();
    expect(none.wait).toBeGreaterThan(HOUR / 2);
    expect((await limited(bucket, by, { maxWait: HOUR / 2 })).ticket).toBeUndefined();
    const first = await ticketOf(bucket, by, { maxWait: 2 * HOUR });
    const far = await limited(bucket, by, { maxWait: HOUR });
    expect(far.ticket).toBeUndefined();
    expect(far.wait).toBeGreaterThan(HOUR);
    expect((await ticketOf(bucket, by)).at - first.at).toBeCloseTo(HOUR, 2);
  });

  it('[L3] grants a time within the patience of the caller, who waits for it then', async () => {
    const bucket = newBucket();
    const by = rule(1, HOUR);
    const first = await granted(bucket, by);
    const second = await granted(bucket, by, { patience: HOUR });
    expect(second.at - first.at).toBeCloseTo(HOUR, 2);
    expect(second.wait).toBeGreaterThan(HOUR / 2);
    expect((await ticketOf(bucket, by, { patience: HOUR })).at - second.at).toBeCloseTo(HOUR, 2);
    // Who has a ticket comes first.
    expect(await limited(bucket, by, { patience: 10 * HOUR })).toMatchObject({ ticket: { round: 1 } });
  });

  it.each([
    [1, 5],
    [8, 1],
    [32, 20],
  ])(
    '[L1] [L3] never grants more than a token bucket has, at concurrency %i with a burst of %i',
    async (lanes, burst) => {
      const bucket = newBucket();
      const by = rule(200, 1_000, 'token-bucket', burst);
      const costs = Array.from({ length: 60 }, (_, n) => (burst > 1 ? 1 + (n % 3) : 1));
      const grants: { at: number; cost: number; takes: number }[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let cost = costs[next++]; cost !== undefined; cost = costs[next++]) {
          const { at, takes } = await granting(bucket, by, { cost, patience: lanes === 8 ? 20 : 0 });
          grants.push({ at, cost, takes });
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      expect(grants).toHaveLength(60);
      expectNever(grants, burst, 200 / 1_000);
    },
  );

  it.each([1, 8, 32])('[L1] never grants more than a fixed window has, at concurrency %i', async (lanes) => {
    const bucket = newBucket();
    const by = rule(10, 100, 'fixed-window');
    const grants: { at: number; cost: number }[] = [];
    let left = 50;
    const lane = async (): Promise<void> => {
      while (left-- > 0) grants.push({ ...(await granting(bucket, by)), cost: 1 });
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const inWindow = new Map<number, number>();
    for (const { at } of grants) {
      const window = Math.floor(at / 100);
      inWindow.set(window, (inWindow.get(window) ?? 0) + 1);
    }
    expect(grants).toHaveLength(50);
    expect(Math.max(...inWindow.values())).toBeLessThanOrEqual(10);
  });

  it.each([1, 8, 32])('[L1] never grants more in any time of a sliding window, at concurrency %i', async (lanes) => {
    const bucket = newBucket();
    const by = rule(10, 100, 'sliding-window');
    const grants: { at: number; cost: number }[] = [];
    let left = 50;
    const lane = async (): Promise<void> => {
      while (left-- > 0) grants.push({ ...(await granting(bucket, by)), cost: 1 });
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    expect(grants).toHaveLength(50);
    expectNeverInAnyWindow(grants, 10, 100);
  });

  it.each(['fixed-window', 'sliding-window'] as const)(
    '[L1] reserves in a %s at the pace of the limit',
    async (kind) => {
      const bucket = newBucket();
      const by = rule(4, HOUR, kind);
      const opened = await granted(bucket, by, { cost: 3 });
      const first = await take(bucket, by, { cost: 2 });
      // At the end of a window the second may be in the next one.
      if (first.kind === 'granted') return;
      const length = kind === 'fixed-window' ? HOUR : (HOUR * 65) / 64;
      if (kind === 'fixed-window') expect(first.ticket!.at % HOUR).toBe(0);
      else expect(first.ticket!.at).toBeGreaterThan(opened.at + HOUR);
      const second = await ticketOf(bucket, by);
      expect(second.at - first.ticket!.at).toBeCloseTo(length / 2, 0);
      expect((await ticketOf(bucket, by)).at - second.at).toBeCloseTo(length / 4, 0);
    },
  );

  it('[L3] lets everybody come once who comes in time, and takes as long as the limit says', async () => {
    const bucket = newBucket();
    const by = rule(100, 1_000, 'token-bucket', 10);
    const came = await Promise.all(Array.from({ length: 60 }, () => granting(bucket, by, { patience: 500 })));
    expectNever(
      came.map(({ at }) => ({ at, cost: 1 })),
      10,
      0.1,
    );
    expect(Math.max(...came.map(({ takes }) => takes))).toBeLessThanOrEqual(3);
    const times = came.map(({ at }) => at);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(50 / 0.1 - 1);
  });

  it('[L3] sends those who come late all at once away again one after another, before those who come anew', async () => {
    const bucket = newBucket();
    const by = rule(20, 1_000, 'token-bucket', 1);
    await granted(bucket, by);
    const tickets: Ticket[] = [];
    for (let n = 0; n < 6; n++) tickets.push(await ticketOf(bucket, by));
    const tail = await ticketOf(bucket, by, { cost: 1 });
    await pause((await limited(bucket, by, { ticket: tickets.at(-1)! })).wait);
    const again: { at: number; round: number }[] = [];
    for (const ticket of tickets) {
      const taken = await take(bucket, by, { ticket });
      if (taken.kind === 'waits') again.push(taken.ticket!);
    }
    // A slow machine may grant a few of them meanwhile.
    expect(again.length).toBeGreaterThanOrEqual(2);
    expect(again.every(({ round }) => round === 2)).toBe(true);
    for (let n = 1; n < again.length; n++) expect(again[n]!.at - again[n - 1]!.at).toBeGreaterThanOrEqual(50 - EPSILON);
    expect((await ticketOf(bucket, by)).at).toBeGreaterThan(again.at(-1)!.at);
    // All come, on the second time at the latest, although the one with the next ticket comes as well.
    const came = await Promise.all([tail, ...again].map((ticket) => granting(bucket, by, { ticket, patience: 500 })));
    expect(Math.max(...came.map(({ takes }) => takes))).toBeLessThanOrEqual(3);
    expectNever(
      came.map(({ at }) => ({ at, cost: 1 })),
      1,
      20 / 1_000,
    );
  });

  it('[L3] lets those who reserve from now on come sooner when a waiter will not come', async () => {
    const bucket = newBucket();
    const by = rule(1, HOUR);
    await granted(bucket, by);
    await ticketOf(bucket, by);
    const gone = await ticketOf(bucket, by);
    await limits().giveBack(bucket, by, 1, gone);
    const next = await ticketOf(bucket, by);
    expect(next.at).toBeCloseTo(gone.at, 2);
    await limits().giveBack(bucket, by, 1, { at: 1, round: 1 });
    expect((await ticketOf(bucket, by)).at - next.at).toBeCloseTo(HOUR, 2);
  });

  it('[L4] counts each key for itself', async () => {
    const { name } = newBucket();
    const by = rule(1, HOUR);
    for (const key of ['', 'acme', 'acme:1', 'ä "\'']) {
      await granted({ name, key }, by);
      await limited({ name, key }, by);
    }
    await granted({ name: `${name}:acme`, key: '' }, by);
  });

  it('[L4] pauses one key: nobody is granted or reserves before the end of the longer pause', async () => {
    const bucket = newBucket('acme');
    const by = rule(2, HOUR, 'token-bucket', 2);
    const { at } = await granted(bucket, by);
    await limits().pause(bucket, 10 * HOUR);
    await limits().pause(bucket, 5 * HOUR);
    const first = await ticketOf(bucket, by);
    expect(first.at).toBeGreaterThanOrEqual(at + 10 * HOUR);
    const late = await limited(bucket, by, { ticket: { at, round: 1 } });
    expect(late.ticket!.round).toBe(2);
    expect(late.ticket!.at).toBeGreaterThanOrEqual(at + 10 * HOUR);
    await granted({ ...bucket, key: 'other' }, by);

    const short = newBucket('acme');
    await limits().pause(short, 50);
    const { ticket, wait } = await limited(short, by);
    expect(wait).toBeLessThanOrEqual(50);
    expect((await granting(short, by, { ticket: ticket! })).at).toBeGreaterThanOrEqual(ticket!.at);
  });

  it('[L4] has those who come during a pause come after it one after another', async () => {
    const bucket = newBucket('acme');
    const by = rule(2, 1_000, 'token-bucket', 1);
    const first = await granted(bucket, by);
    const tickets: Ticket[] = [];
    for (let n = 0; n < 3; n++) tickets.push(await ticketOf(bucket, by));
    await pause((await limited(bucket, by, { ticket: tickets.at(-1)! })).wait);
    await limits().pause(bucket, HOUR);
    const again: Ticket[] = [];
    for (const ticket of tickets) again.push(await ticketOf(bucket, by, { ticket }));
    expect(again[0]!.at).toBeGreaterThanOrEqual(first.at + HOUR);
    expect(again[1]!.at - again[0]!.at).toBeCloseTo(500, 2);
    expect(again[2]!.at - again[1]!.at).toBeCloseTo(500, 2);
    const anew = (await ticketOf(bucket, by)).at - again[2]!.at;
    expect(anew).toBeGreaterThanOrEqual(500 - EPSILON);
    expect(anew).toBeLessThanOrEqual(1_000 + EPSILON);
  });
});
