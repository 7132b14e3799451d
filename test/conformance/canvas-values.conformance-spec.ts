import { Injectable } from '@nestjs/common';
import { chain, chord, chunks, group, InvalidCanvasError, map, Signature, starmap, Task, task } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { add, identity, multiply, number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

interface Pair {
  x: number;
  y: number;
}

@Injectable()
class Parts {
  static gates: Signal[] = [];
  static returned: number[] = [];
  static tries = 0;

  /** Returns when the member after it has returned. */
  @Task()
  async backwards(n: number): Promise<number> {
    await Parts.gates[n + 1]?.reached;
    Parts.returned.push(n);
    Parts.gates[n]!.reach();
    return n;
  }

  @Task()
  async pair(pair: Pair): Promise<Pair> {
    return pair;
  }

  @Task({ retry: { attempts: 3, delay: 1 } })
  async unsteady(value: number): Promise<number> {
    if (++Parts.tries < 3) throw new Error('not yet');
    return value + 1;
  }

  @Task()
  async nothing(): Promise<void> {}

  @Task()
  async count(list: unknown[]): Promise<number> {
    return list.length;
  }

  @Task({ queue: 'slow' })
  async elsewhere(value: number): Promise<number> {
    return value;
  }
}

const backwards = task(Parts, 'backwards');
const pair = task(Parts, 'pair');
const unsteady = task(Parts, 'unsteady');
const nothing = task(Parts, 'nothing');
const count = task(Parts, 'count');
const elsewhere = task(Parts, 'elsewhere');

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const plus = (x: number): Signature<number, number> => add.s({ x }, { into: 'y' });
const times = (x: number): Signature<number, number> => multiply.s({ x }, { into: 'y' });
const sum = (x: number, y: number): Signature<undefined, number> => add.s({ x, y });
const ids = (...values: number[]): Signature<undefined, number>[] => values.map((value) => number.s(value));
const same = identity.s();

type Row = [what: string, canvas: Signature<undefined, unknown>, expected: unknown];

/** Those of Celery's documentation and of its own tests, calculated by hand. */
const CHAINS: Row[] = [
  ['add(4, 4) | add(8) | add(16)', chain(sum(4, 4), plus(8), plus(16)), 32],
  // 2 + 2 = 4, + 4 = 8, + 8 = 16
  ['add(2, 2) | add(4) | add(8)', chain(sum(2, 2), plus(4), plus(8)), 16],
  // 4 + 4 = 8, * 8 = 64, * 10 = 640
  ['add(4, 4) | mul(8) | mul(10)', chain(sum(4, 4), times(8), times(10)), 640],
  // (16 + 4) * 8
  ['(add(4) | mul(8))(16)', chain(number.s(16), chain(plus(4), times(8))), 160],
  ['a chain of one', chain(sum(2, 2)), 4],
  ['chains in chains are one', chain(chain(chain(sum(1, 1)), plus(1)), chain(plus(1), chain(plus(1)))), 5],
  // Immutable: the last alone counts.
  ['si ignores the result before', chain(add.si({ x: 2, y: 2 }), add.si({ x: 4, y: 4 }), add.si({ x: 8, y: 8 })), 16],
  ['si after a group', chain(group(ids(1, 2)), number.si(7)), 7],
  ['si with null before', chain(nothing.s(), number.si(7)), 7],
  ['null is a result as well', chain(nothing.s(), same), null],
  ['into the one key and into the other', chain(sum(1, 1), pair.s({ x: 5 }, { into: 'y' })), { x: 5, y: 2 }],
  ['into the one key and into the other', chain(sum(1, 1), pair.s({ y: 5 }, { into: 'x' })), { x: 2, y: 5 }],
  // The signature's own keys win: 1 + 2, and not 100 + 2.
  ['merge', chain(pair.s({ x: 100, y: 2 }), add.s({ x: 1 }, { merge: true })), 3],
  ['merge of nothing', chain(pair.s({ x: 100, y: 2 }), add.s({}, { merge: true })), 102],
  ['the whole result as the payload', chain(pair.s({ x: 3, y: 2 }), add.s()), 5],
  ['a step that is tried again', chain(number.s(1), unsteady.s(), plus(1)), 3],
  ['a step in another queue', chain(number.s(1), elsewhere.s(), plus(1)), 2],
];

const GROUPS: Row[] = [
  ['group(add(2, 2), add(4, 4))', group([sum(2, 2), sum(4, 4)]), [4, 8]],
  ['group(add(i, i) for i in 0..9)', group(upTo(10).map((i) => sum(i, i))), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]],
  ['an empty group', group([]), []],
  ['an empty group of groups', group([group([]), group([group([])])]), []],
  ['a group of one', group(ids(1)), [1]],
  ['a lone group in a chain', chain(group(ids(1, 2))), [1, 2]],
  [
    'groups in groups flatten',
    group([group(ids(1, 2)), number.s(3), group([group(ids(4)), number.s(5)])]),
    [1, 2, 3, 4, 5],
  ],
  ['a group in a chain in a group does not', group([chain(group(ids(1, 2))), number.s(3)]), [[1, 2], 3]],
  ['nor behind a step there', group([chain(number.s(1), group([plus(1), plus(2)])), number.s(3)]), [[2, 3], 3]],
  ['a group with a link does not', group([group(ids(1, 2)).link(nothing.si()), number.s(3)]), [[1, 2], 3]],
  ['chains in a group', group([chain(sum(1, 1), plus(1)), chain(sum(2, 2), plus(2), plus(3))]), [3, 9]],
  // [1 + 2, 3 + 4]
  [
    'chords in a group keep the nesting',
    group([chord(ids(1, 2), xsum.s()), chain(group(ids(3, 4)), xsum.s())]),
    [3, 7],
  ],
  [
    'results of every kind',
    group([identity.s(null), identity.s([]), identity.s({ a: [1] }), identity.s('')]),
    [null, [], { a: [1] }, ''],
  ],
  ['members of several queues', group([number.s(1), elsewhere.s(2), nothing.s()]), [1, 2, null]],
  // 1 failed attempt or 2, and the place is the same.
  ['a member that is tried again', group([unsteady.s(1), number.s(5)]), [2, 5]],
];

const BEHIND: Row[] = [
  ['add(4, 4) | group(add(0..4))', chain(sum(4, 4), group(upTo(5).map(plus))), [8, 9, 10, 11, 12]],
  ['a group of one behind a group', chain(sum(2, 2), group(upTo(4).map(plus)), group([same])), [[4, 5, 6, 7]]],
  // 2 + 2 = 4; 4 + 0..3, each + 8
  ['each + 8', chain(sum(2, 2), group(upTo(4).map((n) => chain(plus(n), plus(8))))), [12, 13, 14, 15]],
  ['an empty group behind a step', chain(number.s(1), group([])), []],
  ['an empty group between steps', chain(number.s(1), group([]), xsum.s(), plus(1)), 1],
  ['a group of one between steps', chain(number.s(1), group([plus(1)]), same), [2]],
  ['members that want nothing of the step before', chain(number.s(1), group([number.si(5), plus(1)])), [5, 2]],
  // [1, 2] to both
  ['a group behind a group', chain(group(ids(1, 2)), group([xsum.s(), count.s(), same])), [3, 2, [1, 2]]],
  // [2, 3] -> [5, 2] -> [7, [5, 2]]
  [
    'three groups one after another',
    chain(number.s(1), group([plus(1), plus(2)]), group([xsum.s(), count.s()]), group([xsum.s(), same])),
    [7, [5, 2]],
  ],
  ['a group behind a chord', chain(chord(ids(1, 2), xsum.s()), group([plus(1), times(2)])), [4, 6]],
  // 5 -> [[6, 7], 50] -> 2
  [
    'a group behind a step in a group behind a step',
    chain(number.s(5), group([chain(plus(0), group([plus(1), plus(2)])), times(10)])),
    [[6, 7], 50],
  ],
];

const CHORDS: Row[] = [
  // 2 * (0 + ... + 9)
  [
    'chord(add(i, i) for i in 0..9, xsum)',
    chord(
      upTo(10).map((i) => sum(i, i)),
      xsum.s(),
    ),
    90,
  ],
  ['group | xsum', chain(group(upTo(10).map((i) => sum(i, i))), xsum.s()), 90],
  ['a group as the header', chord(group(ids(1, 2, 3)), xsum.s()), 6],
  ['an empty header', chord([], same), []],
  ['an empty header of groups', chord([group([])], xsum.s()), 0],
  ['a header of one', chord(ids(7), same), [7]],
  ['a body that wants nothing', chord(ids(1, 2), number.si(5)), 5],
  ['a body that is a chain', chord(ids(1, 2), chain(xsum.s(), plus(4), times(2))), 14],
  ['a body that is a group', chord(ids(1, 2), group([xsum.s(), count.s()])), [3, 2]],
  // [3] and then 4 of it
  ['a body that is a chord', chord(ids(1, 2), chord([xsum.s(), xsum.s()], xsum.s())), 6],
  ['the body into a key', chord(ids(1, 2), chain(xsum.s(), pair.s({ x: 9 }, { into: 'y' }))), { x: 9, y: 3 }],
  ['chains in the header', chord([chain(sum(1, 1), plus(2)), chain(sum(2, 2), times(3))], xsum.s()), 16],
  ['groups in the header flatten', chord([group(ids(42, 1337)), group(ids(42, 1337))], same), [42, 1337, 42, 1337]],
  ['a group in a chain in the header does not', chord([chain(group(ids(1, 2))), number.s(3)], same), [[1, 2], 3]],
  [
    'a group behind a step in the header does not',
    chord([chain(number.s(1), group([plus(0), plus(1)])), number.s(3)], same),
    [[1, 2], 3],
  ],
  ['a chord in a chord', chord([chord(ids(1, 2), same), number.s(3)], same), [[1, 2], 3]],
  [
    '42 identities of 1337 in a chord in a chord',
    chord([chord([chain(number.s(1337), ...upTo(41).map(() => number.s()))], same)], same),
    [[1337]],
  ],
  // xsum(1, 2) = 3; [3, 4] = 7; [7, 5] = 12
  [
    'three chords in one another',
    chord([chord([chord(ids(1, 2), xsum.s()), number.s(4)], xsum.s()), number.s(5)], xsum.s()),
    12,
  ],
  // 1 + 2 = 3; [4, 6] = 10; [20, 30] = 50
  [
    'a chain of chords',
    chain(chord(ids(1, 2), xsum.s()), chord([plus(1), times(2)], xsum.s()), chord([times(2), times(3)], xsum.s())),
    50,
  ],
  // 8; [9, 10] = 19; 20
  ['task | group | task | task', chain(sum(4, 4), group([plus(1), plus(2)]), xsum.s(), plus(1)), 20],
  [
    'a chord behind a chord behind a step',
    chain(number.s(1), chord([plus(1), plus(2)], xsum.s()), chord([plus(0), plus(0)], same)),
    [5, 5],
  ],
  ['lists in lists: [[[[1337]]]]', chord([chord([chain(group([chain(group(ids(1337)))]))], same)], same), [[[[1337]]]]],
];

const MAPS: Row[] = [
  // 0 + ... + 9 and 0 + ... + 99
  ['xsum.map([0..9, 0..99])', map(xsum, [upTo(10), upTo(100)]), [45, 4950]],
  ['an empty map', map(xsum, []), []],
  [
    'add.starmap(zip(0..9, 0..9))',
    starmap(
      add,
      ['x', 'y'],
      upTo(10).map((n) => [n, n]),
    ),
    [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
  ],
  [
    'add.chunks(zip(0..99, 0..99), 10)',
    chunks(
      add,
      upTo(100).map((n) => ({ x: n, y: n })),
      10,
    ),
    upTo(10).map((ten) => upTo(10).map((n) => 2 * (10 * ten + n))),
  ],
  ['chunks that do not come out even', chunks(number, upTo(5), 2), [[0, 1], [2, 3], [4]]],
  ['chunks of nothing', chunks(number, [], 2), []],
  ['a map of null', map(nothing, [undefined as never].slice(1)), []],
  ['map in a chain', chain(number.s(1), map(number, [5, 6]), xsum.s(), plus(1)), 12],
  ['starmap in a header', chord([starmap(add, ['x', 'y'], [[1, 1]]), map(number, [3])], same), [[2], [3]]],
  ['chunks as a header', chord(chunks(number, upTo(5), 2), count.s()), 3],
  ['chunks behind a step', chain(number.s(1), chunks(number, [1, 2, 3], 2), same), [[1, 2], [3]]],
  ['chunks in a group flatten', group([chunks(number, [1, 2, 3], 2), number.s(4)]), [[1, 2], [3], 4]],
  ['a map of items that are lists', map(count, [[1], [], [1, 2]]), [1, 0, 2]],
];

describe.each(backends)('the values of canvases on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    const queues = { default: { concurrency: 32 }, slow: { concurrency: 1 } };
    app = await startJobsApp({ backend, providers: [Sums, Parts], options: { queues } });
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    Parts.tries = 0;
    Parts.returned = [];
  });

  const result = async <Result>(canvas: Signature<undefined, Result>): Promise<Result> =>
    (await app.jobs.start(canvas)).result(WAIT);

  const stored = async (): Promise<number> => {
    const counts = await app.jobs.queue('default').getJobCounts();
    return Object.values(counts).reduce((all, n) => all + n, 0);
  };

  it.each(CHAINS)('[V1] %s', async (_what, canvas, expected) => {
    expect(await result(canvas)).toEqual(expected);
  });

  it.each(GROUPS)('[V2] %s', async (_what, canvas, expected) => {
    expect(await result(canvas)).toEqual(expected);
  });

  it.each(BEHIND)('[V6] %s', async (_what, canvas, expected) => {
    expect(await result(canvas)).toEqual(expected);
  });

  it.each(CHORDS)('[V3] [V6] %s', async (_what, canvas, expected) => {
    expect(await result(canvas)).toEqual(expected);
  });

  it.each(MAPS)('[V5] %s', async (_what, canvas, expected) => {
    expect(await result(canvas)).toEqual(expected);
  });

  it('[V4] the same values come of what was JSON meanwhile', async () => {
    const rows = [...CHAINS, ...GROUPS, ...BEHIND, ...CHORDS, ...MAPS];
    const handles = [];
    for (const [, canvas] of rows) {
      Parts.tries = 2;
      handles.push(await app.jobs.start(Signature.from(JSON.parse(JSON.stringify(canvas)))));
    }
    const results = await Promise.all(handles.map((handle) => handle.result(WAIT)));
    expect(results).toEqual(rows.map(([, , expected]) => expected));
  });

  it('[V1] the results of the steps before are read from the end to the beginning', async () => {
    const handle = await app.jobs.start(chain(sum(2, 2), plus(4), plus(8)));
    expect(await handle.result(WAIT)).toBe(16);
    expect(await handle.parent!.result(WAIT)).toBe(8);
    expect(await handle.parent!.parent!.result(WAIT)).toBe(4);
    expect(handle.parent!.parent!.parent).toBeUndefined();
  });

  it('[V2] the results of the members are read each by itself, also behind a step', async () => {
    const handle = await app.jobs.start(chain(sum(2, 2), group([plus(1), chord([plus(2)], xsum.s())]), xsum.s()));
    expect(await handle.result(WAIT)).toBe(11);
    expect(await Promise.all(handle.children.map((child) => child.result(WAIT)))).toEqual([5, 6]);
    expect(await handle.parent!.result(WAIT)).toBe(4);
  });

  it.each([
    ['a group', (members: Signature<undefined, number>[]) => group(members)],
    ['a chord', (members: Signature<undefined, number>[]) => chord(members, same)],
    [
      'a group behind a step',
      (members: Signature<undefined, number>[]) =>
        chain(nothing.s(), group(members.map((_member, n) => backwards.si(n))), same),
    ],
  ])('[V2] the order is that of the members, although the last is done first: %s', async (_what, of) => {
    Parts.gates = upTo(8).map(() => signal());
    expect(await result(of(upTo(8).map((n) => backwards.s(n))))).toEqual(upTo(8));
    expect(Parts.returned).toEqual(upTo(8).toReversed());
  });

  it('[V6] twelve chords in one another', async () => {
    // Each adds one to what is below it: 0 + 12
    let canvas: Signature<undefined, number> = number.s(0);
    for (let depth = 0; depth < 12; depth++) canvas = chord([canvas, number.s(1)], xsum.s());
    expect(await result(canvas)).toBe(12);
  });

  it('[V6] thirty groups in chains in one another', async () => {
    let canvas: Signature<undefined, unknown> = number.s(5);
    let expected: unknown = 5;
    for (let depth = 0; depth < 30; depth++) {
      canvas = chain(group([canvas]), same);
      expected = [expected];
    }
    expect(await result(canvas)).toEqual(expected);
  });

  it('[V6] eight chords one after another, each with three members', async () => {
    // Each makes 3n of n, and adds 0 + 1 + 2: 0, 3, 12, 39, 120, 363, 1092, 3279, 9840
    const step = chord(upTo(3).map(plus), xsum.s());
    expect(await result(chain(number.s(0), ...upTo(8).map(() => step)))).toBe(9_840);
  });

  it('[V1] a chain of 300 steps', async () => {
    const handle = await app.jobs.start(chain(number.s(0), ...upTo(299).map(() => plus(1))));
    expect(await handle.result(WAIT)).toBe(299);
    expect((await handle.status()).counts).toEqual({ total: 300, open: 0, succeeded: 300, failed: 0 });
  });

  it('[V6] a group of 1,200 behind a step', async () => {
    // 1,200 * 1 + (0 + ... + 1,199)
    const handle = await app.jobs.start(chain(number.s(1), group(upTo(1_200).map(plus)), xsum.s()));
    expect(await handle.result(WAIT)).toBe(720_600);
    expect((await handle.status()).counts).toEqual({ total: 1_202, open: 0, succeeded: 1_202, failed: 0 });
  });

  it('[V3] a chord of 100 chains of three', async () => {
    // Of n comes 2n + 1: 2 * (0 + ... + 99) + 100
    const members = upTo(100).map((n) => chain(number.s(n), times(2), plus(1)));
    expect(await result(chord(members, xsum.s()))).toBe(10_000);
  });

  it('[V1] what cannot be merged fails the step, is not tried again, and no later step runs', async () => {
    const canvas = Signature.from({
      type: 'chain',
      steps: [number.s(1).toJSON(), add.s({ x: 1 }, { merge: true }).toJSON(), plus(1).toJSON()],
    });
    const handle = await app.jobs.start(canvas);
    await expect(handle.result(WAIT)).rejects.toMatchObject({
      error: {
        name: 'CanvasPayloadError',
        message: expect.stringMatching(/task "Sums.add".*an object is to be merged, but it is a number/),
      },
    });
    expect(await handle.parent!.status()).toMatchObject({ state: 'failed', attempt: 1 });
    expect(await handle.parent!.parent!.result()).toBe(1);
  });

  it.each<[string, Signature<undefined, unknown>]>([
    ['the canvas.steps[1]', chain(number.s(1), Signature.from(number.s(2).toJSON()))],
    ['the canvas.steps[1].members[1]', chain(number.s(1), group([plus(1), Signature.from(number.s(2).toJSON())]))],
    ['the canvas', Signature.from(add.s({ x: 1 }, { into: 'y' }).toJSON())],
    ['the canvas.members[0].steps[0]', group([chain(Signature.from(plus(1).toJSON()))])],
    ['the canvas.members[1].link[0]', group([number.s(1), number.s(1).link(Signature.from(number.s(2).toJSON()))])],
  ])('[V1] what types forbid is refused before anything is sent: %s', async (place, canvas) => {
    const before = await stored();
    await expect(app.jobs.start(canvas)).rejects.toThrow(InvalidCanvasError);
    await expect(app.jobs.start(canvas)).rejects.toMatchObject({ place });
    expect(await stored()).toBe(before);
  });
});
