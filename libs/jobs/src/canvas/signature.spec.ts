import { z } from 'zod';
import { taskContract } from '../task/task-contract.js';
import type { CanvasFailure } from './canvas-failure.js';
import type { CanvasJson } from './canvas-json.js';
import type { TaskNode } from './canvas-node.js';
import { InvalidCanvasError } from './canvas.errors.js';
import { chain, chord, group } from './canvas.js';
import { chunks, map, starmap } from './map.js';
import { Signature } from './signature.js';

interface Mail {
  to: string;
  lines: string[];
}

const send = taskContract<Mail, number>('mail.send', {
  queue: 'bulk',
  priority: 7,
  expiresIn: '1h',
  keepResult: false,
  retry: { attempts: 4, delay: '1s' },
});
const sum = taskContract<number[], number>('numbers.sum');
const one = taskContract<number, number>('numbers.one');
const failed = taskContract<CanvasFailure, null>('failed');

function refusal(act: () => unknown): InvalidCanvasError {
  try {
    act();
  } catch (error) {
    if (error instanceof InvalidCanvasError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

const again = (signature: Signature<never, unknown>): Signature<unknown, unknown> =>
  Signature.from(JSON.parse(JSON.stringify(signature)));

describe('a signature', () => {
  it('[V4] never changes: each method gives a new one', () => {
    const first = one.s(1);
    const before = JSON.stringify(first);
    const others = [
      first.set({ priority: 9 }),
      first.link(one.s()),
      first.linkError(failed.s()),
      first.stamp('a'),
      first.clone(),
    ];
    for (const other of others) expect(other).not.toBe(first);
    expect(JSON.stringify(first)).toBe(before);
    expect(others[4]!.toJSON()).toEqual(first.toJSON());
    expect(() => Object.assign(first.node, { into: 'x' })).toThrow(TypeError);
  });

  it('[V4] has a payload and options of its own: what their maker changes later is not changed in it', () => {
    const mail = { to: 'ada', lines: ['hi'] };
    const [tags, headers] = [['a'], { tenant: 'acme' }];
    const made = send.s(mail).set({ tags, headers });
    const items = [{ to: 'bob', lines: ['ho'] }];
    const mapped = map(send, items);
    mail.lines.push('changed');
    tags.push('changed');
    headers.tenant = 'changed';
    items[0]!.lines.push('changed');
    expect(made.toJSON()).toMatchObject({
      payload: { to: 'ada', lines: ['hi'] },
      options: { tags: ['a'], headers: { tenant: 'acme' } },
    });
    expect(mapped.toJSON()).toMatchObject({ payload: [{ to: 'bob', lines: ['ho'] }] });
    const { payload } = made.node as TaskNode;
    expect(() => (payload as Mail).lines.push('changed')).toThrow('not extensible');
  });

  it('[V4] has parts of its own: lists of steps and members, and JSON, may be changed after', () => {
    const members = [one.s(1)];
    const steps = [one.s(1)];
    const [fan, line] = [group(members), chain(...steps)];
    members.push(one.s(2));
    steps.push(one.s(2));
    expect(fan.toJSON()).toMatchObject({ members: [{ payload: 1 }] });
    expect(line.toJSON()).toMatchObject({ steps: [{ payload: 1 }] });
    const json = { type: 'task', task: 'numbers.one', payload: [1], stamps: ['a'], options: { tags: ['a'] } };
    const read = Signature.from(json);
    for (const list of [json.payload, json.stamps, json.options.tags] as unknown[][]) list.push('changed');
    expect(read.toJSON()).toEqual({ ...json, payload: [1], stamps: ['a'], options: { tags: ['a'] } });
  });

  it('[V4] later options go before earlier ones; stamps, links and errbacks add up', () => {
    const made = one
      .s(1)
      .set({ priority: 1, delay: 5 })
      .set({ priority: 2 })
      .stamp('a', 'b')
      .stamp('b', 'c')
      .link(one.s())
      .link(one.s().stamp('linked'))
      .linkError(failed.s())
      .linkError(failed.si({ jobId: 'a', task: 'b', error: { name: 'c', message: 'd' } }));
    expect(made.toJSON()).toEqual({
      type: 'task',
      task: 'numbers.one',
      payload: 1,
      options: { priority: 2, delay: 5 },
      stamps: ['a', 'b', 'c'],
      link: [
        { type: 'task', task: 'numbers.one' },
        { type: 'task', task: 'numbers.one', stamps: ['linked'] },
      ],
      linkError: [
        { type: 'task', task: 'failed' },
        {
          type: 'task',
          task: 'failed',
          payload: { jobId: 'a', task: 'b', error: { name: 'c', message: 'd' } },
          immutable: true,
        },
      ],
    });
  });

  it.each<[string, () => Signature<never, unknown>]>([
    ['a task', () => send.s({ to: 'ada', lines: [] })],
    ['a task that takes the result as its payload', () => send.s()],
    ['a task that takes the result at a key', () => send.s({ to: 'ada' }, { into: 'lines' })],
    ['a task that takes the result beside its own', () => send.s({ to: 'ada' }, { merge: true })],
    ['a task that takes nothing', () => send.si({ to: 'ada', lines: [] })],
    [
      'a payload of every kind',
      () => taskContract<unknown>('any').s({ a: [null, true, 0, '', { b: [[]] }], __proto: 1 }),
    ],
    ['null as the payload', () => taskContract<null>('none').s(null)],
    ['options', () => one.s(1).set({ queue: 'q', priority: 0, delay: '1m', expiresIn: false, keepResult: false })],
    ['a chain', () => chain(one.s(1), one.s(), one.s())],
    ['a chain in chains', () => chain(chain(chain(one.s(1)), one.s()))],
    ['a group', () => group([one.s(1), one.s(2)])],
    ['an empty group', () => group([])],
    ['a group with allowPartial, in a group', () => group([group([one.s(1)], { allowPartial: true })])],
    ['a chord', () => chord([one.s(1), one.s(2)], sum.s())],
    ['a chord in a chord', () => chord([chord([one.s(1)], sum.s()), one.s(2)], sum.s())],
    ['chains of groups of chains', () => chain(one.s(1), group([chain(one.s(), one.s()), one.s()]), group([sum.s()]))],
    [
      'map, starmap and chunks',
      () => group([map(one, [1, 2]), starmap(send, ['to', 'lines'], [['ada', []]]), chunks(one, [1, 2, 3], 2)]),
    ],
    [
      'callbacks with callbacks',
      () =>
        chain(one.s(1), one.s())
          .link(
            chord([one.s(), one.s()], sum.s()).link(
              one
                .s()
                .stamp('deep')
                .set({ tags: ['x'] }),
            ),
          )
          .linkError(chain(failed.s(), one.si(1)).linkError(failed.s())),
    ],
  ])('[V4] is the same again of its JSON: %s', (_what, make) => {
    const made = make();
    const json = made.toJSON();
    expect(JSON.parse(JSON.stringify(made))).toEqual(json);
    expect(again(made).toJSON()).toEqual(json);
    expect(again(again(made)).toJSON()).toEqual(json);
  });

  it('[V4] as JSON says what the task declares of its jobs, and no code', () => {
    const charge = taskContract('charge', { input: z.object({ cents: z.number() }), retry: { attempts: 2 } });
    expect(charge.s({ cents: 1 }).toJSON()).toEqual({
      type: 'task',
      task: 'charge',
      payload: { cents: 1 },
      declared: { attempts: 2 },
    });
    const { ref } = again(send.s()).node as TaskNode;
    expect(ref).toEqual({
      name: 'mail.send',
      options: { queue: 'bulk', priority: 7, expiresIn: '1h', keepResult: false, retry: { attempts: 4 } },
    });
  });

  it('[V4] of an iterable cannot be JSON, wherever it stands', () => {
    const stream = group(new Set([one.s()]));
    expect(refusal(() => stream.toJSON()).place).toBe('the canvas');
    expect(refusal(() => chain(one.s(1), chord([stream], sum.s())).toJSON()).place).toBe(
      'the canvas.steps[1].steps[0].members[0]',
    );
    expect(refusal(() => one.s(1).link(chain(one.s(), stream)).toJSON()).place).toBe('the canvas.link[0].steps[1]');
  });

  const task = { type: 'task', task: 'numbers.one' };
  it.each<[string, unknown]>([
    ['the canvas', undefined],
    ['the canvas', null],
    ['the canvas', 'a text'],
    ['the canvas', []],
    ['the canvas, $,', one.s(1)],
    ['the canvas, $.payload.when,', { ...task, payload: { when: new Date() } }],
    ['the canvas, $.steps[1].payload[0],', { type: 'chain', steps: [task, { ...task, payload: [Number.NaN] }] }],
    ['the canvas.type', {}],
    ['the canvas.type', { type: 'chord' }],
    ['the canvas.type', { type: 'constructor' }],
    ['the canvas.task', { type: 'task' }],
    ['the canvas.task', { type: 'task', task: 'with spaces' }],
    ['the canvas.into', { ...task, payload: {}, into: 1 }],
    ['the canvas.into', { ...task, into: 'x' }],
    ['the canvas.into', { ...task, payload: [], into: 'x' }],
    ['the canvas.into', { ...task, payload: {}, into: 'x', immutable: true }],
    ['the canvas.merge', { ...task, payload: {}, merge: false }],
    ['the canvas.merge', { ...task, payload: 1, merge: true }],
    ['the canvas.merge', { ...task, payload: {}, into: 'x', merge: true }],
    ['the canvas.immutable', { ...task, immutable: 1 }],
    ['the canvas.each', { ...task, payload: [], each: 'yes' }],
    ['the canvas.payload', { ...task, payload: 1, each: true }],
    ['the canvas.declared', { ...task, declared: 1 }],
    ['the canvas.declared', { ...task, declared: { schema: {} } }],
    ['the canvas.declared.queue', { ...task, declared: { queue: 'No Queue' } }],
    ['the canvas.declared.priority', { ...task, declared: { priority: 10 } }],
    ['the canvas.declared.expiresIn', { ...task, declared: { expiresIn: 'soon' } }],
    ['the canvas.declared.keepResult', { ...task, declared: { keepResult: 1 } }],
    ['the canvas.declared.attempts', { ...task, declared: { attempts: 0.5 } }],
    ['the canvas.options', { ...task, options: [] }],
    ['the canvas.options.unique', { ...task, options: { unique: true } }],
    ['the canvas.options.prio', { ...task, options: { prio: 1 } }],
    ['the canvas.stamps', { ...task, stamps: 'a' }],
    ['the canvas.stamps', { ...task, stamps: ['a', 1] }],
    ['the canvas.steps', { type: 'chain' }],
    ['the canvas.steps', { type: 'chain', steps: [] }],
    ['the canvas.steps[1].task', { type: 'chain', steps: [task, { type: 'task' }] }],
    ['the canvas.members', { type: 'group', members: {} }],
    ['the canvas.allowPartial', { type: 'group', members: [], allowPartial: false }],
    ['the canvas.members[0].members[1]', { type: 'group', members: [{ type: 'group', members: [task, 1] }] }],
    ['the canvas.link', { ...task, link: task }],
    ['the canvas.link[0].type', { ...task, link: [{ type: 'x' }] }],
    ['the canvas.linkError[0].link[0].task', { ...task, linkError: [{ ...task, link: [{ type: 'task' }] }] }],
    ['the canvas.stamp', { ...task, stamp: 'a' }],
    ['the canvas.members', { type: 'chain', steps: [task], members: [] }],
  ])('[V4] refuses what is none, and names the place: %s', (place, json) => {
    const error = refusal(() => Signature.from(json));
    expect(error.place).toBe(place);
    expect(error.message).toMatch(`nestjs-jobs: ${place} must be `);
  });

  it('[V4] refuses JSON without an end, or nested too deeply', () => {
    const loop: { type: string; steps: unknown[] } = { type: 'chain', steps: [task] };
    loop.steps.push(loop);
    expect(refusal(() => Signature.from(loop)).message).toMatch('must be JSON, but is a cycle');
    let deep: CanvasJson = { type: 'task', task: 'numbers.one' };
    for (let n = 0; n < 20_000; n++) deep = { type: 'chain', steps: [deep] };
    expect(refusal(() => Signature.from(deep)).message).toMatch('nested in more than 1000 levels');
  });

  it.each<[string, string, () => unknown]>([
    ['a payload', 'the signature of task "any", $.when,', () => taskContract<unknown>('any').s({ when: new Date() })],
    ['items', 'the items of map() of task "any", $[1],', () => map(taskContract<unknown>('any'), [1, Number.NaN])],
    [
      'into and merge',
      'the signature of task "any", its second parameter,',
      () => taskContract<unknown>('any').s({}, { into: 'a', merge: true } as never),
    ],
    [
      'neither',
      'the signature of task "any", its second parameter,',
      () => taskContract<unknown>('any').s({}, {} as never),
    ],
    [
      'merge: false',
      'the signature of task "any".merge',
      () => taskContract<unknown>('any').s({}, { merge: false } as never),
    ],
    [
      'into a list',
      'the signature of task "any", its payload',
      () => taskContract<unknown>('any').s([], { into: 'a' } as never),
    ],
    ['no signature', 'chain[1]', () => chain(one.s(1), one as never)],
    ['no step', 'a chain', () => chain()],
    ['no signature in a group', 'group[0]', () => group([1 as never])],
    ['no group', 'group', () => group(1 as never)],
    ['a text', 'group', () => group('one' as never)],
    ['no boolean', 'group, its allowPartial,', () => group([], { allowPartial: 1 as never })],
    ['a header that is no group', "a chord's header", () => chord(one.s(1) as never, sum.s())],
    ['no body', "a chord's body", () => chord([one.s(1)], undefined as never)],
    ['an empty chunk', 'the size of chunks()', () => chunks(one, [1], 0)],
    ['a short item', 'the items of starmap(), [1],', () => starmap(send, ['to', 'lines'], [['a', []], ['b']] as never)],
    ['options', 'the options of set().id', () => one.s(1).set({ id: 'a' } as never)],
    ['an option of code', 'the options of set(), $.delay,', () => one.s(1).set({ delay: () => 1 } as never)],
    ['a stamp', 'a stamp', () => one.s(1).stamp('')],
    ['a link', 'link()', () => one.s(1).link(one as never)],
    ['an errback', 'linkError()', () => one.s(1).linkError((() => undefined) as never)],
  ])('[V4] what types forbid is refused at once: %s', (_what, place, act) => {
    expect(refusal(act).place).toBe(place);
  });
});
