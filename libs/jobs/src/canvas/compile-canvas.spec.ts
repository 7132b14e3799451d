import { CanvasTooLargeError } from './canvas.errors.js';
import { memberPath, newPath, pathOf } from './canvas-ids.js';
import { INTERNAL_QUEUE, type CanvasPart } from './canvas-part.js';
import { compileCanvas, MOST_AT_ONCE, segmentsOf, type Place } from './compile-canvas.js';
import { jobsOf, type FlowJob, type Frame } from './flow-job.js';
import {
  stepsOf,
  type JoinsPrevious,
  type PlacedCanvas,
  type PlacedChain,
  type PlacedGroup,
  type PlacedTask,
} from './placed-canvas.js';

const FRAME: Frame = {
  headers: { tenant: 'acme' },
  rootId: 'default_root',
  stamps: ['stamp'],
  retention: { removeOnComplete: { age: 60 } },
};
/** In one step: what is counted, the job that waits for it, and the pieces of the longest chain. */
const MOST_IN_A_FLOW = MOST_AT_ONCE + 61;

const at = (n: string, j?: JoinsPrevious): PlacedTask => ({ n, q: 'default', y: 11, a: 3, ...(j && { j }) });
const first = (n: string): PlacedTask => ({ ...at(n), p: n });
const fan = (...g: PlacedCanvas[]): PlacedGroup => ({ g });
const partial = (...g: PlacedCanvas[]): PlacedGroup => ({ g, a: 1 });
const line = (...steps: PlacedCanvas[]): PlacedChain => ({ s: steps.flatMap(stepsOf) });
const many = (count: number, of: (n: number) => PlacedCanvas): PlacedCanvas[] =>
  Array.from({ length: count }, (_, n) => of(n));

const ROOT = newPath();
const compile = (canvas: PlacedCanvas, place: Partial<Place> = {}): FlowJob =>
  compileCanvas(canvas, { path: ROOT, ...place }, FRAME);

/** What matters of a flow: what each job is, where, what it takes, how it fails, and what is below it. */
interface Shape {
  job: string;
  at: string;
  part?: CanvasPart;
  fails?: 'fail' | 'ignore';
  below?: Shape[];
}

function shapeOf({ name, queueName, data, opts, children }: FlowJob): Shape {
  const { n, ...part } = data.c!;
  const fails: Shape['fails'] = opts.failParentOnFailure
    ? 'fail'
    : opts.ignoreDependencyOnFailure
      ? 'ignore'
      : undefined;
  const members = n?.k === 'spawn' ? ` ${n.m.length} to ${n.o.id.replace(ROOT, '*')}` : '';
  const shown = {
    job: n ? `${n.k}${members}` : name,
    at: `${queueName === INTERNAL_QUEUE ? 'nodes' : queueName} ${pathOf(opts.jobId).replace(ROOT, '*')}`,
    ...(Object.keys(part).length > 0 && { part: JSON.parse(JSON.stringify(part).replaceAll(ROOT, '*')) as CanvasPart }),
    ...(fails && { fails }),
    ...(children && { below: children.map(shapeOf) }),
  } as const;
  return shown;
}

/** What holds for every flow. */
function check(flow: FlowJob, waiting: 'nothing waits' | 'a job waits' = 'nothing waits'): FlowJob[] {
  const jobs = [...jobsOf([flow])];
  const ids = jobs.map(({ opts }) => opts.jobId);
  expect(new Set(ids).size).toBe(ids.length);
  const isSound = (job: FlowJob): boolean => {
    const { opts, queueName, data } = job;
    const failure = [opts.failParentOnFailure, opts.ignoreDependencyOnFailure].filter(Boolean).length;
    const none = opts.removeDependencyOnFailure ?? opts.continueParentOnFailure;
    return (
      /^[a-z][a-z0-9-]*_[A-Za-z0-9._-]{1,128}$/.test(opts.jobId) &&
      opts.jobId.startsWith(`${queueName}_`) &&
      opts.priority! > 0 &&
      opts.attempts! > 0 &&
      failure === (job === flow && waiting === 'nothing waits' ? 0 : 1) &&
      none === undefined &&
      data.c !== undefined
    );
  };
  expect(jobs.filter((job) => !isSound(job))).toEqual([]);
  expect(jobs.length).toBeLessThanOrEqual(MOST_IN_A_FLOW);
  return jobs;
}

/** All jobs that come of a canvas when its spawners have run. */
function allJobs(canvas: PlacedCanvas): FlowJob[] {
  const all: FlowJob[] = [];
  const left: { flow: FlowJob; waiting: 'nothing waits' | 'a job waits' }[] = [
    { flow: compile(canvas), waiting: 'nothing waits' },
  ];
  for (const { flow, waiting } of left) {
    for (const job of check(flow, waiting)) {
      all.push(job);
      const work = job.data.c!.n;
      if (work?.k !== 'spawn') continue;
      for (const [n, member] of work.m.entries()) {
        const path = memberPath(pathOf(work.o.id), n);
        const place: Place = { path, whenFailed: work.a ? 'ignore' : 'fail', before: { value: null } };
        left.push({ flow: compileCanvas(member, place, FRAME), waiting: 'a job waits' });
      }
    }
  }
  return all;
}

const bytesOf = (flow: FlowJob): number =>
  [...jobsOf([flow])].reduce((sum, { data, opts }) => sum + JSON.stringify([data, opts]).length, 0);

describe('the compiler of canvases', () => {
  it('[V4] a task is one job', () => {
    const flow = compile({ ...first('a'), d: 5, x: 99, t: ['tag'], h: { own: '1' }, k: 0 });
    expect(check(flow)).toHaveLength(1);
    expect(flow).toEqual({
      name: 'a',
      queueName: 'default',
      data: { p: 'a', h: { own: '1' }, t: ['tag'], r: 'default_root', x: 99, k: 0, c: {} },
      opts: {
        jobId: `default_${ROOT}`,
        attempts: 3,
        backoff: { type: 'decided' },
        priority: 11,
        delay: 5,
        removeOnComplete: { age: 60 },
      },
    });
  });

  it('[V1] a chain: the last step on top, each step below the next', () => {
    const flow = compile(line(first('a'), at('b', 'p'), at('c', { i: 'x' }), at('d')));
    check(flow);
    expect(shapeOf(flow)).toEqual({
      job: 'd',
      at: 'default *',
      // It takes nothing of c, and waits for it.
      part: { b: 'default_*-2' },
      below: [
        {
          job: 'c',
          at: 'default *-2',
          part: { g: 1, b: 'default_*-1', j: { i: 'x' } },
          fails: 'fail',
          below: [
            {
              job: 'b',
              at: 'default *-1',
              part: { g: 1, b: 'default_*-0', j: 'p' },
              fails: 'fail',
              below: [{ job: 'a', at: 'default *-0', fails: 'fail' }],
            },
          ],
        },
      ],
    });
  });

  it('[V2] a group: a job of the library gathers its results', () => {
    const flow = compile(fan(first('a'), first('b')));
    check(flow);
    expect(shapeOf(flow)).toEqual({
      job: 'gather',
      at: 'nodes *',
      part: { g: 2, t: 2 },
      below: [
        { job: 'a', at: 'default *.0', fails: 'fail' },
        { job: 'b', at: 'default *.1', fails: 'fail' },
      ],
    });
    expect(flow.data).toEqual({
      h: { tenant: 'acme' },
      t: ['stamp'],
      r: 'default_root',
      c: { n: { k: 'gather' }, g: 2, t: 2 },
    });
  });

  it('[V3] a chord: the body itself waits for the header, and no other job', () => {
    const flow = compile(line(fan(first('a'), first('b')), at('sum', 'p')));
    check(flow);
    expect(shapeOf(flow)).toEqual({
      job: 'sum',
      at: 'default *',
      part: { g: 2, t: 2, j: 'p' },
      below: [
        { job: 'a', at: 'default *.0', fails: 'fail' },
        { job: 'b', at: 'default *.1', fails: 'fail' },
      ],
    });
  });

  it('[V3] an empty header: nothing to wait for', () => {
    const flow = compile(line(fan(), at('sum', 'p')));
    expect(check(flow)).toHaveLength(1);
    expect(flow.children).toBeUndefined();
    expect(shapeOf(flow)).toEqual({ job: 'sum', at: 'default *', part: { g: 2, t: 0, j: 'p' } });
    expect(shapeOf(compile(fan()))).toEqual({ job: 'gather', at: 'nodes *', part: { g: 2, t: 0 } });
  });

  it('[V7] a partial header: what fails is let through, but not what adds it', () => {
    expect(shapeOf(compile(line(partial(first('a'), line(first('b'), at('c', 'p'))), at('sum', 'p'))))).toEqual({
      job: 'sum',
      at: 'default *',
      part: { g: 2, t: 2, a: 1, j: 'p' },
      below: [
        { job: 'a', at: 'default *.0', fails: 'ignore' },
        {
          job: 'c',
          at: 'default *.1',
          part: { g: 1, b: 'default_*.1-0', j: 'p' },
          fails: 'ignore',
          // Within the member, a failed step fails the next.
          below: [{ job: 'b', at: 'default *.1-0', fails: 'fail' }],
        },
      ],
    });
    const spawned = compile(line(first('a'), partial(at('b', 'p'))));
    check(spawned);
    expect(shapeOf(spawned)).toMatchObject({
      part: { a: 1 },
      below: [{ job: 'spawn 1 to jobs-internal_*', fails: 'fail' }],
    });
    expect(spawned.children![0]!.data.c!.n).toMatchObject({ a: 1 });
  });

  it('[V6] a group behind a step is added when that is done', () => {
    const flow = compile(line(first('a'), fan(at('b', 'p'), at('c', 'p')), at('sum', 'p')));
    check(flow);
    expect(shapeOf(flow)).toEqual({
      job: 'sum',
      at: 'default *',
      part: { g: 2, t: 2, s: 1, b: 'default_*-0', j: 'p' },
      below: [
        {
          job: 'spawn 2 to default_*',
          at: 'nodes *.s',
          part: { g: 1, b: 'default_*-0' },
          fails: 'fail',
          below: [{ job: 'a', at: 'default *-0', fails: 'fail' }],
        },
      ],
    });
  });

  it('[V6] a group behind a group waits for a job that gathers the first', () => {
    const flow = compile(line(fan(first('a'), first('b')), fan(at('c', 'p')), at('sum', 'p')));
    check(flow);
    expect(shapeOf(flow)).toEqual({
      job: 'sum',
      at: 'default *',
      part: { g: 2, t: 1, s: 1, b: 'jobs-internal_*-0', j: 'p' },
      below: [
        {
          job: 'spawn 1 to default_*',
          at: 'nodes *.s',
          part: { g: 1, b: 'jobs-internal_*-0' },
          fails: 'fail',
          below: [
            {
              job: 'gather',
              at: 'nodes *-0',
              part: { g: 2, t: 2 },
              fails: 'fail',
              below: [
                { job: 'a', at: 'default *-0.0', fails: 'fail' },
                { job: 'b', at: 'default *-0.1', fails: 'fail' },
              ],
            },
          ],
        },
      ],
    });
  });

  it('[V6] a chord in a chord stands below it at once', () => {
    const inner = line(fan(first('a')), at('inner', 'p'));
    expect(shapeOf(compile(line(fan(inner, first('b')), at('outer', 'p'))))).toEqual({
      job: 'outer',
      at: 'default *',
      part: { g: 2, t: 2, j: 'p' },
      below: [
        {
          job: 'inner',
          at: 'default *.0',
          part: { g: 2, t: 1, j: 'p' },
          fails: 'fail',
          below: [{ job: 'a', at: 'default *.0.0', fails: 'fail' }],
        },
        { job: 'b', at: 'default *.1', fails: 'fail' },
      ],
    });
  });

  it('[V4] a group with a link has a job of its own, also before a task', () => {
    const linked: PlacedGroup = { ...fan(first('a')), l: [at('link', 'p')] };
    expect(shapeOf(compile(line(linked, at('sum', 'p'))))).toMatchObject({
      job: 'sum',
      part: { g: 1, b: 'jobs-internal_*-0', j: 'p' },
      below: [{ job: 'gather', part: { g: 2, t: 1, l: [{ n: 'link' }] }, below: [{ job: 'a' }] }],
    });
  });

  it('[V6] what is known of the step before goes to each that takes it, and to no other', () => {
    const canvas = line(fan(at('a', 'p'), at('b'), line(at('c', { i: 'x' }), at('d', 'p'))), at('sum', 'p'));
    const flow = compile(canvas, { before: { value: { n: 1 } }, whenFailed: 'ignore' });
    expect(flow.opts).toMatchObject({ ignoreDependencyOnFailure: true });
    expect(shapeOf(flow).below).toEqual([
      { job: 'a', at: 'default *.0', part: { v: [{ n: 1 }], j: 'p' }, fails: 'fail' },
      { job: 'b', at: 'default *.1', fails: 'fail' },
      {
        job: 'd',
        at: 'default *.2',
        part: { g: 1, b: 'default_*.2-0', j: 'p' },
        fails: 'fail',
        below: [{ job: 'c', at: 'default *.2-0', part: { v: [{ n: 1 }], j: { i: 'x' } }, fails: 'fail' }],
      },
    ]);
    // Null is a result as well.
    expect(compile(at('a', 'p'), { before: { value: null } }).data.c).toEqual({ v: [null], j: 'p' });
  });

  it('[V2] the result of the last part alone may be left out', () => {
    const flow = compile(line({ ...first('a'), k: 0 }, { ...at('b', 'p'), k: 0 }));
    expect([...jobsOf([flow])].map(({ data }) => data.k)).toEqual([0, undefined]);
  });

  it('[V10] a large group is added some at a time, by a job of the library', () => {
    const members = (count: number): PlacedCanvas => fan(...many(count, (n) => first(`m${n}`)));
    expect(check(compile(members(MOST_AT_ONCE)))).toHaveLength(MOST_AT_ONCE + 1);
    const flow = compile(members(MOST_AT_ONCE + 1));
    expect(check(flow)).toHaveLength(2);
    expect(shapeOf(flow)).toEqual({
      job: 'gather',
      at: 'nodes *',
      part: { g: 2, t: MOST_AT_ONCE + 1, s: 1 },
      below: [{ job: `spawn ${MOST_AT_ONCE + 1} to jobs-internal_*`, at: 'nodes *.s', fails: 'fail' }],
    });
    // The steps behind it count as well.
    const steps = many(250, (n) => at(`s${n}`, 'p'));
    expect(check(compile(line(members(200), ...steps)))).toHaveLength(250 + 1);
    expect(check(compile(line(members(140), ...steps)))).toHaveLength(250 + 140);
    // What does not fit any more of several groups.
    const half = line(fan(...many(200, (n) => first(`m${n}`))), at('sum', 'p'));
    expect(check(compile(fan(half, half, half))).length).toBeLessThanOrEqual(MOST_AT_ONCE);
  });

  it('[V1] a long chain is added piece by piece, each below a job that hands its result on', () => {
    const steps = (count: number): PlacedChain => line(first('m0'), ...many(count - 1, (n) => at(`m${n + 1}`, 'p')));
    expect(check(compile(steps(260)))).toHaveLength(260);
    const flow = compile(steps(450));
    // The last 50 steps; for each of the two pieces before, a relay and the job that adds it.
    expect(check(flow)).toHaveLength(50 + 2 * 2);
    const shapes = [...jobsOf([flow])].map(({ children: _below, ...job }) => shapeOf(job));
    expect(shapes.slice(49)).toEqual([
      { job: 'm400', at: 'default *-0', part: { g: 1, b: 'jobs-internal_*-r1', j: 'p' }, fails: 'fail' },
      { job: 'gather', at: 'nodes *-r1', part: { g: 1, s: 1, t: 200, b: 'jobs-internal_*-r0' }, fails: 'fail' },
      {
        job: 'spawn 1 to jobs-internal_*-r1',
        at: 'nodes *-r1.s',
        part: { g: 1, b: 'jobs-internal_*-r0' },
        fails: 'fail',
      },
      { job: 'gather', at: 'nodes *-r0', part: { g: 1, s: 1, t: 200 }, fails: 'fail' },
      { job: 'spawn 1 to jobs-internal_*-r0', at: 'nodes *-r0.s', fails: 'fail' },
    ]);
    const all = allJobs(steps(450));
    const names = all.flatMap(({ data, name }) => (data.c!.n ? [] : [name]));
    expect(new Set(names).size).toBe(450);
    expect(names).toHaveLength(450);
  });

  it('[V6] a chain is never cut between a header and its body', () => {
    const chord = line(fan(at('a', 'p')), at('sum', 'p'));
    const canvas = line(first('m0'), ...many(300, () => chord)) as PlacedChain;
    const pieces = segmentsOf(canvas.s);
    expect(pieces.map(({ length }) => length)).toEqual([201, 200, 200]);
    for (const piece of pieces.slice(1)) expect(piece[0]).toHaveProperty('g');
    expect(pieces.flat()).toEqual(canvas.s);
    const all = allJobs(canvas);
    expect(all.filter(({ name }) => name === 'a')).toHaveLength(300);
    expect(all.filter(({ name }) => name === 'sum')).toHaveLength(300);
  });

  it('[V10] what is too large to be stored together is refused', () => {
    const steps = line(first('m0'), ...many(20_001, () => at('m', 'p')));
    expect(() => compile(steps)).toThrow(CanvasTooLargeError);
    const large = { ...at('m', 'p'), p: 'x'.repeat(9 * 2 ** 20) };
    expect(() => compile(line(first('a'), fan(large)))).toThrow('has a part of');
    // At the beginning each member stands for itself.
    expect(check(compile(fan(large)))).toHaveLength(2);
  });

  it.each([2, 4, 8, 16, 64])('[V10] a chain of %i chords grows with its length, and no faster', (chords) => {
    const header = (): PlacedGroup => fan(...many(10, () => at('member', 'p')));
    const canvas = (count: number): PlacedCanvas =>
      line(first('a'), ...many(count, () => line(header(), at('sum', 'p'))));
    const sizeOf = (count: number): number => bytesOf(compile(canvas(count)));
    const perChord = sizeOf(2) - sizeOf(1);
    const expected = sizeOf(1) + perChord * (chords - 1);
    // The numbers of steps have more digits.
    expect(sizeOf(chords) / expected).toBeGreaterThan(0.98);
    expect(sizeOf(chords) / expected).toBeLessThan(1.02);
  });

  it('[V10] a job carries only the part of the canvas that it adds', () => {
    const header = (name: string): PlacedGroup => fan(at(`${name}-0`, 'p'), at(`${name}-1`, 'p'));
    const flow = compile(
      line(first('a'), header('one'), at('sum-one', 'p'), header('two'), at('sum-two', 'p'), header('three')),
    );
    const carried = check(flow).flatMap(({ data }) => (data.c!.n?.k === 'spawn' ? [data.c!.n.m] : []));
    expect(carried.map((members) => members.map((member) => (member as PlacedTask).n))).toEqual([
      ['three-0', 'three-1'],
      ['two-0', 'two-1'],
      ['one-0', 'one-1'],
    ]);
    for (const { data } of jobsOf([flow])) {
      if (data.c!.n?.k === 'spawn') continue;
      expect(JSON.stringify(data)).not.toMatch(/one-\d|two-\d|three-\d/);
    }
  });

  it.each(['chains in groups', 'chords in chords', 'groups behind steps'])('[V10] 200 levels deep: %s', (kind) => {
    let canvas: PlacedCanvas = first('core');
    for (let depth = 0; depth < 200; depth++) {
      if (kind === 'chains in groups') canvas = fan(line(canvas, at('next', 'p')), first('beside'));
      else if (kind === 'chords in chords') canvas = line(fan(canvas, first('beside')), at('body', 'p'));
      else canvas = line(first('before'), fan(canvas, at('beside', 'p')), at('body', 'p'));
    }
    const jobs = allJobs(canvas);
    expect(jobs.filter(({ name }) => name === 'core')).toHaveLength(1);
    expect(jobs.filter(({ name }) => name === 'beside')).toHaveLength(200);
    const ids = jobs.map(({ opts }) => opts.jobId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(allJobs(canvas).map(({ opts }) => opts.jobId)).toEqual(ids);
  });
});
