import { chain, chord, chunks, group, map, Signature, starmap } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { add, identity, number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

describe.each(backends)('a canvas on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums] });
  });
  afterAll(() => app?.close());

  const result = async <Result>(canvas: Signature<undefined, Result>): Promise<Result> =>
    (await app.jobs.start(canvas)).result(WAIT);
  const list = (...values: number[]): Signature<undefined, number>[] => values.map((value) => number.s(value));

  it('[V1] a chain hands each result to the next step', async () => {
    // (4 + 4) + 8 = 16, + 16 = 32
    expect(
      await result(chain(add.s({ x: 4, y: 4 }), add.s({ x: 8 }, { into: 'y' }), add.s({ x: 16 }, { into: 'y' }))),
    ).toBe(32);
  });

  it('[V2] a group gives the results in the order of its members', async () => {
    expect(await result(group(list(3, 1, 2)))).toEqual([3, 1, 2]);
    expect(await result(group([]))).toEqual([]);
  });

  it('[V3] the body of a chord gets the list of the results', async () => {
    expect(await result(chord(list(1, 2, 3), xsum.s()))).toBe(6);
    expect(await result(chord(list(7), identity.s()))).toEqual([7]);
    expect(await result(chord([], identity.s()))).toEqual([]);
  });

  it('[V6] a group behind a step, and a group behind that', async () => {
    const plus = (y: number): Signature<number, number> => add.s({ y }, { into: 'x' });
    expect(await result(chain(add.s({ x: 2, y: 2 }), group([plus(0), plus(1), plus(2), plus(3)])))).toEqual([
      4, 5, 6, 7,
    ]);
    // (2 + 2) + 0..3, each + 8
    const each = [0, 1, 2, 3].map((n) => chain(plus(n), plus(8)));
    expect(await result(chain(add.s({ x: 2, y: 2 }), group(each)))).toEqual([12, 13, 14, 15]);
    // 4 + 4 = 8; 8 + 1, 8 + 2; 9 + 10 = 19; 19 + 1 = 20
    expect(await result(chain(add.s({ x: 4, y: 4 }), group([plus(1), plus(2)]), xsum.s(), plus(1)))).toBe(20);
  });

  it('[V6] a chord in a chord keeps the nesting', async () => {
    const long = chain(number.s(1337), ...Array.from({ length: 41 }, () => number.s()));
    expect(await result(chord([chord([long], identity.s())], identity.s()))).toEqual([[1337]]);
    const chords = group([chord(list(1, 2), xsum.s()), chain(group(list(3, 4)), xsum.s())]);
    expect(await result(chords)).toEqual([3, 7]);
  });

  it('[V3] a thousand members', async () => {
    const thousand = Array.from({ length: 1_000 }, (_, n) => n);
    expect(await result(chord(list(...thousand), xsum.s()))).toBe(499_500);
    expect(await result(group(list(...thousand)))).toEqual(thousand);
  });

  it('[V5] map, starmap and chunks', async () => {
    expect(await result(map(number, [1, 2, 3]))).toEqual([1, 2, 3]);
    expect(await result(starmap(add, ['x', 'y'], [[2, 2], [4, 4]]))).toEqual([4, 8]); // prettier-ignore
    expect(await result(chunks(number, [1, 2, 3, 4, 5], 2))).toEqual([[1, 2], [3, 4], [5]]); // prettier-ignore
  });

  it('[V4] a canvas that was JSON meanwhile', async () => {
    const canvas = chain(group(list(1, 2)), xsum.s(), add.s({ x: 8 }, { into: 'y' }));
    const again = Signature.from(JSON.parse(JSON.stringify(canvas)));
    expect(again.toJSON()).toEqual(canvas.toJSON());
    expect(await result(again)).toBe(11);
  });
});
