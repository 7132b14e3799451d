import { expectTypeOf } from 'expect-type';
import { z } from 'zod';
import type { JobsService } from '../client/jobs.service.js';
import { Task } from '../task/task.decorator.js';
import { taskContract } from '../task/task-contract.js';
import { task } from '../task/task-ref.js';
import type { CanvasFailure } from './canvas-failure.js';
import type { CanvasHandle } from './canvas-handle.js';
import type { GroupSignature, Settled } from './canvas-types.js';
import { chain, chord, group } from './canvas.js';
import { chunks, map, starmap } from './map.js';
import { Signature } from './signature.js';

interface Sum {
  x: number;
  y: number;
}

interface Mail {
  to: string;
  subject: string;
  copies?: readonly string[];
}

type Shape = { kind: 'circle'; label: string; radius: number } | { kind: 'square'; label: string; side: number };

class Tasks {
  @Task()
  async add({ x, y }: Sum): Promise<number> {
    return x + y;
  }

  @Task()
  async sum(numbers: number[]): Promise<number> {
    return numbers.length;
  }

  @Task()
  async text(value: number): Promise<string> {
    return String(value);
  }

  @Task()
  async anything(value: unknown): Promise<{ value: string }> {
    return { value: String(value) };
  }

  @Task()
  async send(_mail: Mail): Promise<boolean> {
    return true;
  }

  @Task()
  async draw(_shape: Shape): Promise<string> {
    return '';
  }

  @Task()
  async sweep(): Promise<void> {}

  @Task()
  async greet(name?: string): Promise<string> {
    return `Hello ${name ?? 'you'}`;
  }

  @Task()
  async report(_results: Settled<number>[]): Promise<string> {
    return '';
  }

  @Task()
  async onError(_failure: CanvasFailure): Promise<void> {}
}

const add = task(Tasks, 'add');
const sum = task(Tasks, 'sum');
const text = task(Tasks, 'text');
const anything = task(Tasks, 'anything');
const send = task(Tasks, 'send');
const draw = task(Tasks, 'draw');
const sweep = task(Tasks, 'sweep');
const greet = task(Tasks, 'greet');
const report = task(Tasks, 'report');
const onError = task(Tasks, 'onError');

const four = add.s({ x: 2, y: 2 });

// None of these is called: what they assert are types.
function signatures(): void {
  expectTypeOf(four).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(add.s()).toEqualTypeOf<Signature<Sum, number>>();
  expectTypeOf(add.si({ x: 2, y: 2 })).toEqualTypeOf<Signature<unknown, number>>();
  expectTypeOf(add.s({ x: 8 }, { into: 'y' })).toEqualTypeOf<Signature<number, number>>();
  expectTypeOf(add.s({ x: 8 }, { merge: true })).branded.toEqualTypeOf<Signature<{ y: number }, number>>();
  expectTypeOf(send.s({ to: 'ada' }, { into: 'subject' })).toEqualTypeOf<Signature<string, boolean>>();
  expectTypeOf(sweep.s()).toEqualTypeOf<Signature<undefined, null>>();
  expectTypeOf(sweep.si()).toEqualTypeOf<Signature<unknown, null>>();
  expectTypeOf(greet.s()).toEqualTypeOf<Signature<string | undefined, string>>();
  expectTypeOf(greet.s('Ada')).toEqualTypeOf<Signature<undefined, string>>();
  expectTypeOf(anything.s([1])).toEqualTypeOf<Signature<undefined, { value: string }>>();
  expectTypeOf(four.set({ priority: 9 }).stamp('a').clone()).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(four.link(text.s()).linkError(onError.s())).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(Signature.from({})).toEqualTypeOf<Signature<unknown, unknown>>();
  // @ts-expect-error there is no such key
  add.s({ x: 8 }, { into: 'z' });
  // @ts-expect-error the other key is missing
  add.s({}, { into: 'y' });
  // @ts-expect-error the key is there already
  add.s({ x: 1, y: 2 }, { into: 'y' });
  // @ts-expect-error the other key has another type
  add.s({ x: '8' }, { into: 'y' });
  // @ts-expect-error a partial of another type
  add.s({ x: '8' }, { merge: true });
  // @ts-expect-error one or the other
  add.s({ x: 8 }, { into: 'y', merge: true });
  // @ts-expect-error a partial payload is none
  add.s({ x: 8 });
  // @ts-expect-error nor for si, which takes nothing of the step before
  add.si({ x: 8 });
  // @ts-expect-error it has a payload
  add.si();
  // @ts-expect-error the link does not take a number
  four.link(sum.s());
  // @ts-expect-error an errback gets a failure
  four.linkError(text.s());
  // @ts-expect-error a part of a canvas cannot be unique
  four.set({ unique: true });
}

function payloads(): void {
  // An optional key: what is put there is there.
  expectTypeOf(send.s({ to: 'ada', subject: 'hi' }, { into: 'copies' })).toEqualTypeOf<
    Signature<readonly string[], boolean>
  >();
  expectTypeOf(send.s({ to: 'ada', copies: ['bob'] }, { merge: true })).branded.toEqualTypeOf<
    Signature<{ subject: string }, boolean>
  >();
  // Of a union, the key that all have; what is beside it is that of one of them.
  expectTypeOf(draw.s({ kind: 'circle', radius: 1 }, { into: 'label' })).toEqualTypeOf<Signature<string, string>>();
  expectTypeOf(draw.s({ kind: 'square', label: 'a' }, { merge: true })).branded.toEqualTypeOf<
    Signature<{ side: number }, string>
  >();
  // @ts-expect-error a circle has no side
  draw.s({ kind: 'circle', side: 1 }, { into: 'label' });
  // @ts-expect-error not all of them have a radius
  draw.s({ kind: 'circle', label: 'a' }, { into: 'radius' });
}

function chains(): void {
  expectTypeOf(chain(four, text.s())).toEqualTypeOf<Signature<undefined, string>>();
  expectTypeOf(chain(text.s(), anything.s())).toEqualTypeOf<Signature<number, { value: string }>>();
  expectTypeOf(chain(four, chain(add.s({ x: 8 }, { into: 'y' }), text.s()))).toEqualTypeOf<
    Signature<undefined, string>
  >();
  expectTypeOf(chain(four, sweep.si())).toEqualTypeOf<Signature<undefined, null>>();
  expectTypeOf(chain(four, group([text.s(), add.s({ x: 1 }, { into: 'y' })]))).toEqualTypeOf<
    Signature<undefined, [string, number]>
  >();
  expectTypeOf(chain(four, group([text.s()]), group([anything.s(), sweep.si()]))).toEqualTypeOf<
    Signature<undefined, [{ value: string }, null]>
  >();
  expectTypeOf(chain(four, map(text, [1]))).toEqualTypeOf<Signature<undefined, string[]>>();
  // Of a list, what its steps take is not checked before the canvas is started.
  expectTypeOf(chain(...[1, 2].map((x) => add.si({ x, y: 1 })))).toEqualTypeOf<Signature<unknown, number>>();
  // @ts-expect-error text gives a string, which add cannot take
  chain(text.s(1), add.s({ x: 8 }, { into: 'y' }));
  // @ts-expect-error the same in the middle
  chain(four, text.s(), text.s(), anything.s());
  // @ts-expect-error a payload of its own takes nothing
  chain(four, add.s({ x: 1, y: 2 }));
  // @ts-expect-error also where the payload is anything, or optional
  chain(four, anything.s(5));
  // @ts-expect-error also where the payload is anything, or optional
  chain(four, greet.s('Ada'));
  // @ts-expect-error one of the members cannot take a number
  chain(four, group([text.s(), sum.s()]));
  // @ts-expect-error nor does a task without a payload
  chain(four, sweep.s());
  // @ts-expect-error a result that cannot be merged into a Mail
  chain(four, send.s({ to: 'ada' }, { merge: true }));
}

function groups(): void {
  expectTypeOf(group([four, text.s(1)])).toEqualTypeOf<GroupSignature<undefined, [number, string]>>();
  expectTypeOf(group([four, group([text.s(1), four])])).toEqualTypeOf<
    GroupSignature<undefined, [number, string, number]>
  >();
  expectTypeOf(group([1, 2].map((n) => text.s(n)))).toEqualTypeOf<GroupSignature<undefined, string[]>>();
  expectTypeOf(group([1, 2].map((n) => group([text.s(n), four])))).toEqualTypeOf<
    GroupSignature<undefined, (string | number)[]>
  >();
  expectTypeOf(group(new Set([four]))).toEqualTypeOf<GroupSignature<undefined, number[]>>();
  expectTypeOf(group(new Set([group([four])]))).toEqualTypeOf<GroupSignature<undefined, number[]>>();
  // In a chain, or with a link of its own, a group is a member.
  expectTypeOf(group([chain(group([four])), four])).toEqualTypeOf<GroupSignature<undefined, [[number], number]>>();
  expectTypeOf(group([group([four]).link(sum.s()), four])).toEqualTypeOf<
    GroupSignature<undefined, [[number], number]>
  >();
  expectTypeOf(group([group([four]).stamp('a').set({ priority: 1 }), four])).toEqualTypeOf<
    GroupSignature<undefined, [number, number]>
  >();
  expectTypeOf(group([])).toEqualTypeOf<GroupSignature<unknown, []>>();
  expectTypeOf(group([add.s(), add.s({ x: 1 }, { merge: true })])).branded.toEqualTypeOf<
    GroupSignature<Sum, [number, number]>
  >();
  expectTypeOf(chunks(text, [1, 2, 3], 2)).toEqualTypeOf<GroupSignature<unknown, string[][]>>();
  expectTypeOf(starmap(add, ['x', 'y'], [[1, 2]])).toEqualTypeOf<Signature<unknown, number[]>>();
  // @ts-expect-error the second is a number
  starmap(add, ['x', 'y'], [[1, '2']]);
  // @ts-expect-error there is no such key
  starmap(add, ['x', 'z'], [[1, 2]]);
  // @ts-expect-error not what the task takes
  map(text, ['1']);
  // @ts-expect-error not what the task takes
  chunks(text, ['1'], 2);
}

function settled(): void {
  const partial = { allowPartial: true } as const;
  expectTypeOf(group([four, text.s(1)], partial)).toEqualTypeOf<
    GroupSignature<undefined, [Settled<number>, Settled<string>], 'partial'>
  >();
  expectTypeOf(
    group(
      [1, 2].map((n) => text.s(n)),
      partial,
    ),
  ).toEqualTypeOf<GroupSignature<undefined, Settled<string>[], 'partial'>>();
  expectTypeOf(group(new Set([four]), partial)).toEqualTypeOf<
    GroupSignature<undefined, Settled<number>[], 'partial'>
  >();
  // One in a group of its own kind is a part of it; a group that fails as a whole is one member of a partial one.
  expectTypeOf(group([group([four], partial), four], partial)).toEqualTypeOf<
    GroupSignature<undefined, [Settled<number>, Settled<number>], 'partial'>
  >();
  expectTypeOf(group([group([four]), four], partial)).toEqualTypeOf<
    GroupSignature<undefined, [Settled<[number]>, Settled<number>], 'partial'>
  >();
  expectTypeOf(group([group([four], partial), four])).toEqualTypeOf<
    GroupSignature<undefined, [[Settled<number>], number]>
  >();
  expectTypeOf(chord([four, four], report.s(), partial)).toEqualTypeOf<Signature<undefined, string>>();
  expectTypeOf(chord(new Set([four]), report.s(), partial)).toEqualTypeOf<Signature<undefined, string>>();
  expectTypeOf(chain(group([four, four], partial), report.s())).toEqualTypeOf<Signature<undefined, string>>();
  // @ts-expect-error sum takes numbers, and no failures
  chord([four, four], sum.s(), partial);
  // @ts-expect-error and here there are no failures
  chord([four, four], report.s());
}

function chords(): void {
  expectTypeOf(chord([four, four], sum.s())).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(chord([], sum.s())).toEqualTypeOf<Signature<unknown, number>>();
  expectTypeOf(chord(group([four]), sum.s())).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(chord([group([four]), four], sum.s())).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(chord(new Set([four]), sum.s())).toEqualTypeOf<Signature<undefined, number>>();
  expectTypeOf(chord([text.s(), text.s()], anything.s())).toEqualTypeOf<Signature<number, { value: string }>>();
  // @ts-expect-error a list of strings is none of numbers
  chord([text.s(1), text.s(2)], sum.s());
  // @ts-expect-error the body takes a number and not a list
  chord([four], text.s());
  // @ts-expect-error the same of an iterable
  chord(new Set([text.s(1)]), sum.s());
}

function contracts(): void {
  const charge = taskContract('billing.charge', {
    input: z.object({ customer: z.string(), cents: z.number(), note: z.string().default('none') }),
    output: z.object({ receipt: z.string() }),
  });
  const receipt = taskContract<{ receipt: string }, boolean>('billing.receipt');
  expectTypeOf(charge.s({ customer: 'ada' }, { into: 'cents' })).toEqualTypeOf<
    Signature<number, { receipt: string }>
  >();
  expectTypeOf(chain(four, charge.s({ customer: 'ada' }, { into: 'cents' }), receipt.s())).toEqualTypeOf<
    Signature<undefined, boolean>
  >();
  expectTypeOf(map(charge, [{ customer: 'ada', cents: 1 }])).toEqualTypeOf<Signature<unknown, { receipt: string }[]>>();
  // @ts-expect-error the customer is missing
  charge.s({}, { into: 'cents' });
  // @ts-expect-error a receipt is no number
  chain(charge.s({ customer: 'ada', cents: 1 }), text.s());
}

async function started(jobs: JobsService): Promise<void> {
  const handle = await jobs.start(chain(four, text.s()));
  expectTypeOf(handle).toEqualTypeOf<CanvasHandle<string>>();
  expectTypeOf(await handle.result()).toEqualTypeOf<string>();
  expectTypeOf(await (await jobs.start(group([four, text.s(1)]))).result()).toEqualTypeOf<[number, string]>();
  expectTypeOf(await jobs.start(Signature.from({}))).toEqualTypeOf<CanvasHandle>();
  expectTypeOf(await jobs.start(add.si({ x: 1, y: 1 }))).toEqualTypeOf<CanvasHandle<number>>();
  expectTypeOf(await jobs.start(greet.s())).toEqualTypeOf<CanvasHandle<string>>();
  expectTypeOf(await jobs.start(sweep.s())).toEqualTypeOf<CanvasHandle<null>>();
  // @ts-expect-error nobody gives it a number
  await jobs.start(text.s());
  // @ts-expect-error the head of the chain needs a number
  await jobs.start(chain(text.s(), anything.s()));
  // @ts-expect-error a member needs a number
  await jobs.start(group([four, text.s()]));
  // @ts-expect-error also where the key is optional
  await jobs.start(send.s({ to: 'ada', subject: 'hi' }, { into: 'copies' }));
  // @ts-expect-error nobody gives it the rest
  await jobs.start(add.s({ x: 8 }, { merge: true }));
}

describe('the types of canvases', () => {
  it('[V1] [V2] [V3] [V4] [V5] [V6] are checked when this file is compiled', () => {
    for (const types of [signatures, payloads, chains, groups, settled, chords, contracts, started]) {
      expect(types).toBeInstanceOf(Function);
    }
  });
});
