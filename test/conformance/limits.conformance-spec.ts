import { setTimeout as pause } from 'node:timers/promises';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type {
  Bucket,
  Granted,
  LimitAlgorithm,
  LimitRule,
  Limited,
  Ticket,
} from '../../libs/jobs/src/backend/limits.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';

const HOUR = 3_600_000;
/** A double has a quarter of a microsecond of a time since 1970. */
const EPSILON = 1e-3;

describe.each(backends)('limits on $name', ({ name: backendName, connection }) => {
  let stores: QueueBackend[];
  let count = 0;
  let turn = 0;

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    stores = [];
    // An embedded database has one process only.
    for (let n = backendName === 'embedded' ? 1 : 2; n > 0; n--) {
      const store = await openBackend(options, new MemoryLogger());
      await store.whenReady(5_000);
      stores.push(store);
    }
  });
  afterAll(async () => {
    for (const store of stores ?? []) await store.close(5_000);
  });

  const newBucket = (key = ''): Bucket => ({ name: `odd:name/${++count} 'ä"`, key });

  function rule(limit: number, period: number, algorithm: LimitAlgorithm = 'token-bucket', burst = limit): LimitRule {
    return { limit, period, burst, algorithm };
  }

  /** From each of the processes in turn. */
  const limits = () => stores[turn++ % stores.length]!.limits;

  interface Asked {
    cost?: number;
    maxWait?: number;
    patience?: number;
    ticket?: Ticket;
  }
  const take = (bucket: Bucket, by: LimitRule, { cost = 1, maxWait = Infinity, ...rest }: Asked = {}) =>
    limits().take(bucket, by, { cost, maxWait, ...rest });

  async function granted(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Granted> {
    const taken = await take(bucket, by, asked);
    if (taken.kind !== 'granted') throw new Error(`waits for ${taken.wait} ms`);
    return taken;
  }

  async function limited(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Limited> {
    const taken = await take(bucket, by, asked);
    if (taken.kind !== 'waits') throw new Error(`granted at ${taken.at}`);
    return taken;
  }

  async function ticketOf(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Ticket> {
    return (await limited(bucket, by, asked)).ticket!;
  }

  /** Comes back whenever it should, until it is granted. */
  async function granting(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Granted & { takes: number }> {
    let ticket = asked.ticket;
    for (let takes = 1; ; takes++) {
      const taken = await take(bucket, by, { ...asked, ...(ticket && { ticket }) });
      if (taken.kind === 'granted') {
        if (taken.wait > 0) await pause(taken.wait);
        return { ...taken, takes };
      }
      ({ ticket } = taken);
      await pause(taken.wait);
    }
  }

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

  it('[L2] changes a limit for all processes at once, and back', async () => {
    const bucket = newBucket();
    const by = rule(1, HOUR);
    const old = await granted(bucket, by).then(() => ticketOf(bucket, by));
    await limits().change(bucket.name, { limit: 60, period: HOUR });
    // What was reserved keeps; what is reserved now is reserved behind it, at the new pace.
    const first = await ticketOf(bucket, by);
    expect((await ticketOf(bucket, by)).at - first.at).toBeCloseTo(HOUR / 60, 2);
    expect((await limited(bucket, by, { ticket: old })).ticket).toEqual(old);
    const other = { ...bucket, key: 'other' };
    for (let n = 0; n < 60; n++) await granted(other, by);
    await limited(other, by);
    await limits().change(bucket.name, undefined);
    const tail = await ticketOf(bucket, by);
    expect((await ticketOf(bucket, by)).at - tail.at).toBeCloseTo(HOUR, 2);
  });

  it('[L2] keeps to a limit that was made slower with those who reserved before', async () => {
    const bucket = newBucket();
    const by = rule(1, 1_000, 'token-bucket', 1);
    await granted(bucket, by);
    const { ticket, wait } = await limited(bucket, by);
    await limits().change(bucket.name, { limit: 1, period: HOUR });
    await pause(wait);
    const slower = await limited(bucket, by, { ticket: ticket! });
    expect(slower.wait).toBeGreaterThan(HOUR / 2);
  });

  it('[L2] changes burst and algorithm, and keeps the burst that code declares', async () => {
    const bucket = newBucket();
    const strict = rule(100, HOUR, 'token-bucket', 1);
    await limits().change(bucket.name, { limit: 50, period: HOUR });
    await granted(bucket, strict);
    await limited(bucket, strict);
    await limits().change(bucket.name, { limit: 50, period: HOUR, burst: 2 });
    const other = { ...bucket, key: 'other' };
    for (let n = 0; n < 2; n++) await granted(other, strict);
    await limited(other, strict);
    await limits().change(bucket.name, { limit: 3, period: HOUR, algorithm: 'fixed-window' });
    const third = { ...bucket, key: 'third' };
    for (let n = 0; n < 3; n++) await granted(third, strict);
    expect((await ticketOf(third, strict)).at % HOUR).toBe(0);
    expect((await limits().changes()).changes.get(bucket.name)).toEqual({
      limit: 3,
      period: HOUR,
      algorithm: 'fixed-window',
    });
  });

  it('[L2] counts a cost that a changed limit can never grant as the whole bucket', async () => {
    for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window'] as const) {
      const bucket = newBucket();
      const by = rule(10, HOUR, algorithm);
      await limits().change(bucket.name, { limit: 2, period: HOUR });
      await granted(bucket, by, { cost: 10 });
      await limited(bucket, by);
    }
  });

  it('[L2] counts what a sliding window granted before its period was changed', async () => {
    const bucket = newBucket();
    const by = rule(5, HOUR, 'sliding-window');
    for (let n = 0; n < 5; n++) await granted(bucket, by);
    await limits().change(bucket.name, { limit: 5, period: HOUR / 2 });
    expect((await limited(bucket, by)).wait).toBeGreaterThan(HOUR / 4);
    await limits().change(bucket.name, { limit: 6, period: 2 * HOUR });
    await granted({ ...bucket, key: 'other' }, by);
  });

  it('[L2] reduces all limits by a factor, and restores them', async () => {
    const by = rule(10, HOUR);
    await limits().scale(0.5);
    try {
      const halved = newBucket();
      for (let n = 0; n < 5; n++) await granted(halved, by);
      const first = await ticketOf(halved, by);
      expect((await ticketOf(halved, by)).at - first.at).toBeCloseTo(HOUR / 5, 2);
      await limits().scale(0.05);
      for (const algorithm of ['fixed-window', 'sliding-window'] as const) {
        const bucket = newBucket();
        // Half a call in an hour is one in two.
        await granted(bucket, rule(10, HOUR, algorithm));
        const { wait } = await limited(bucket, rule(10, HOUR, algorithm));
        if (algorithm === 'sliding-window') expect(wait).toBeGreaterThan(1.5 * HOUR);
      }
      expect((await limits().changes()).factor).toBe(0.05);
    } finally {
      await limits().scale(1);
    }
    expect((await limits().changes()).factor).toBe(1);
    const whole = newBucket();
    for (let n = 0; n < 10; n++) await granted(whole, by);
  });

  it('[M4] shows what was said of a limit at run time, and of no other', async () => {
    const [bucket, other] = [newBucket('tenant'), newBucket()];
    const nothing = { pausedUntil: undefined, change: undefined, factor: 1 };
    expect(await limits().look(bucket)).toEqual(nothing);
    await limits().pause(bucket, HOUR);
    await limits().change(bucket.name, { limit: 7, period: 1_000, burst: 3 });
    const seen = await limits().look(bucket);
    expect(seen).toMatchObject({ change: { limit: 7, period: 1_000, burst: 3 }, factor: 1 });
    // By clocks that need not be the same.
    expect(Math.abs(seen.pausedUntil! - Date.now() - HOUR)).toBeLessThan(HOUR / 2);
    const { ticket } = await limited(bucket, rule(1, 1_000));
    expect(Math.abs(ticket!.at - seen.pausedUntil!)).toBeLessThan(2);
    expect(await limits().look({ ...bucket, key: 'another' })).toEqual({ ...seen, pausedUntil: undefined });
    expect(await limits().look(other)).toEqual(nothing);
    await limits().scale(0.25);
    expect((await limits().look(other)).factor).toBe(0.25);
    await limits().scale(1);
    await limits().change(bucket.name, undefined);
    expect((await limits().look(bucket)).change).toBeUndefined();
    const soon = newBucket();
    await limits().pause(soon, 20);
    await eventually(async () => (await limits().look(soon)).pausedUntil === undefined);
  });

  it('[L1] leaves nothing behind of a bucket that says nothing any more', async () => {
    const bucket = newBucket();
    const by = rule(1_000, 1_000);
    await granted(bucket, by);
    const client = stores[0] as unknown as { producer?: { exists(key: string): Promise<number> }; prefix: string };
    const sql = stores[0] as unknown as {
      pool?: { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> };
    };
    const isKept = async (): Promise<boolean> => {
      if (client.producer) {
        return (await client.producer.exists(`${client.prefix}:limit:${bucket.name.length}:${bucket.name}:`)) === 1;
      }
      // Others sweep what is idle.
      await granted(newBucket(), by);
      return (await sql.pool!.query('SELECT FROM jobs_limit WHERE name = $1', [bucket.name])).rows.length === 1;
    };
    await eventually(async () => !(await isKept()));
    const busy = newBucket();
    await granted(busy, rule(1, HOUR));
    await granted(newBucket(), by);
    await limited(busy, rule(1, HOUR));
  });
});
