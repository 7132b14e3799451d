import { Injectable } from '@nestjs/common';
import { chain, chord, chunks, group, map, PayloadInvalidError, Signature, Task, taskContract } from 'nestjs-jobs';
import { z } from 'zod';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

const price = taskContract('shop.price', {
  input: z.object({
    cents: z.int(),
    times: z.int().default(2),
    name: z.string().transform((name) => name.toUpperCase()),
  }),
  output: z.object({ cents: z.int(), name: z.string() }),
});
const total = taskContract('shop.total', { input: z.array(z.object({ cents: z.int() })), output: z.int() });

@Injectable()
class Shop {
  static ran = 0;

  @Task(price)
  async price({ cents, times, name }: { cents: number; times: number; name: string }): Promise<{
    cents: number;
    name: string;
  }> {
    Shop.ran++;
    return { cents: cents * times, name };
  }

  @Task(total)
  async total(prices: { cents: number }[]): Promise<number> {
    return prices.reduce((sum, { cents }) => sum + cents, 0);
  }
}

describe.each(backends)('canvases of contracts on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums, Shop] });
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    Shop.ran = 0;
  });

  const result = async <Result>(canvas: Signature<undefined, Result>): Promise<Result> =>
    (await app.jobs.start(canvas)).result(WAIT);
  const inner = (error: unknown): unknown => (error as { error: unknown }).error;

  it('[V1] a payload that is put together is checked when it is whole, and once', async () => {
    // 3 * the 2 of the schema
    expect(await result(chain(number.s(3), price.s({ name: 'ada' }, { into: 'cents' })))).toEqual({
      cents: 6,
      name: 'ADA',
    });
    const twice = chain(price.s({ cents: 1, name: 'a' }), price.s({ times: 5 }, { merge: true }));
    expect(await result(twice)).toEqual({ cents: 10, name: 'A' });
    const fan = group([1, 2].map((cents) => price.s({ cents, name: 'x', times: 10 })));
    expect(await result(chord(fan, total.s()))).toBe(30);
  });

  it('[V5] the schema makes each item of a map, and of chunks', async () => {
    const items = [1, 2, 3].map((cents) => ({ cents, name: `n${cents}` }));
    const priced = items.map(({ cents, name }) => ({ cents: 2 * cents, name: name.toUpperCase() }));
    expect(await result(map(price, items))).toEqual(priced);
    expect(await result(chunks(price, items, 2))).toEqual([priced.slice(0, 2), priced.slice(2)]);
    expect(await result(Signature.from(JSON.parse(JSON.stringify(map(price, items)))))).toEqual(priced);
  });

  it.each<[string, () => Signature<undefined, unknown>]>([
    ['a payload', () => price.s({ cents: 0.5, name: 'x' })],
    ['of a step', () => chain(number.s(1), price.si({ cents: 0.5, name: 'x' }))],
    ['of a member', () => group([number.s(1), price.s({ cents: 0.5, name: 'x' })])],
    ['of JSON', () => Signature.from(price.s({ cents: 0.5, name: 'x' }).toJSON())],
    ['an item', () => map(price, [{ cents: 1, name: 'x' }, { cents: 0.5, name: 'x' }])], // prettier-ignore
    ['of a link', () => number.s(1).link(price.si({ cents: 0.5, name: 'x' }))],
  ])('[V1] what is whole is checked at the start, and nothing runs: %s', async (_what, make) => {
    await expect(app.jobs.start(make())).rejects.toThrow(PayloadInvalidError);
    expect(Shop.ran).toBe(0);
  });

  it('[V1] a result that does not fit fails the step that it was for', async () => {
    const canvas = chain(xsum.s([0.25, 0.25]), price.s({ name: 'x' }, { into: 'cents' }));
    const handle = await app.jobs.start(canvas);
    const error = await handle.result(WAIT).catch(inner);
    expect(error).toMatchObject({ name: 'PayloadInvalidError', message: expect.stringContaining('$.cents') });
    expect((await handle.status()).attempt).toBe(1);
    expect(await handle.parent!.result(WAIT)).toBe(0.5);
    expect(Shop.ran).toBe(0);
  });
});
