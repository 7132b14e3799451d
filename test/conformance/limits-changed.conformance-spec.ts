import { setTimeout as pause } from 'node:timers/promises';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { HOUR, limitBuckets, rule } from '../support/limit-buckets.js';

describe.each(backends)('limits that are changed on $name', (backend) => {
  const { stores, newBucket, limits, granted, limited, ticketOf } = limitBuckets(backend);

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
    const client = stores()[0] as unknown as { producer?: { exists(key: string): Promise<number> }; prefix: string };
    const sql = stores()[0] as unknown as {
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
