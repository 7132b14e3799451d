import { chain, chord, group, type CanvasHandle, type Signature } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, give, hold, Parts, pass, quiet } from '../support/parts.js';
import { add, number, Sums, xsum } from '../support/sums.js';
import { itIf, runsOn } from '../support/test-form.js';

const WAIT = { timeout: '50s' } as const;

describe.each(backends)('the status of a canvas on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums] });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => app.jobs.start(canvas);
  const counts = (total: number, open: number, succeeded: number, failed: number): unknown => ({
    total,
    open,
    succeeded,
    failed,
  });
  const eventuallyCounts = (handle: CanvasHandle, expected: unknown): Promise<true> =>
    eventually(async () => {
      expect((await handle.status()).counts).toEqual(expected);
      return true;
    });

  it('[V2] of a group counts its members', async () => {
    const gate = parts.gate('group');
    const members = [give('group a'), give('group b'), hold.si({ at: 'group' }), give('group c').set({ delay: '1h' })];
    const handle = await start(group(members, { allowPartial: true }));
    await gate.entered.reached;
    await eventuallyCounts(handle, counts(4, 2, 2, 0));
    expect(await handle.status()).toMatchObject({ state: 'blocked', ready: false, successful: false, failed: false });
    gate.open.reach();
    await eventuallyCounts(handle, counts(4, 1, 3, 0));
    await handle.children[3]!.cancel();
    await handle.result(WAIT);
    expect(await handle.status()).toMatchObject({
      state: 'succeeded',
      counts: counts(4, 0, 3, 1),
      ready: true,
      successful: true,
      failed: false,
    });
  });

  it('[V2] of one that failed says so, while its other members run on', async () => {
    const gate = parts.gate('bad');
    const handle = await start(group([give('bad a'), breaks('bad b'), hold.si({ at: 'bad' })]));
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError' });
    await gate.entered.reached;
    await eventuallyCounts(handle, counts(3, 1, 1, 1));
    expect(await handle.status()).toMatchObject({ ready: true, successful: false, failed: true });
    gate.open.reach();
    await quiet(app);
    expect((await handle.status()).counts).toEqual(counts(3, 0, 2, 1));
  });

  it('[V2] of a chain counts its steps, and those that fail with one', async () => {
    const gate = parts.gate('chain');
    const handle = await start(chain(give('chain a'), hold.si({ at: 'chain' }), breaks('chain c'), pass('chain d')));
    await gate.entered.reached;
    await eventuallyCounts(handle, counts(4, 3, 1, 0));
    gate.open.reach();
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError' });
    expect((await handle.status()).counts).toEqual(counts(4, 0, 2, 2));
  });

  it('[V2] of a chord, and of one that is added behind a step', async () => {
    const plain = await start(chord([number.s(1), number.s(2), number.s(3)], xsum.s()));
    expect(await plain.result(WAIT)).toBe(6);
    expect((await plain.status()).counts).toEqual(counts(4, 0, 4, 0));
    const [first, second] = [parts.gate('late first'), parts.gate('late second')];
    const members = [pass('late a'), hold.s({ at: 'late second' }, { into: 'value' }), pass('late b')];
    const handle = await start(chain(hold.si({ at: 'late first' }), chord(members, pass('late c')), pass('late d')));
    await first.entered.reached;
    // The first step, three members, the body, and the last step.
    expect((await handle.status()).counts).toEqual(counts(6, 6, 0, 0));
    await expect(handle.parent!.children[0]!.status()).rejects.toMatchObject({ name: 'JobNotFoundError' });
    first.open.reach();
    await second.entered.reached;
    await eventuallyCounts(handle, counts(6, 3, 3, 0));
    second.open.reach();
    await handle.result(WAIT);
    expect((await handle.status()).counts).toEqual(counts(6, 0, 6, 0));
  });

  it('[V2] a member that is a canvas itself counts as one, and has counts of its own', async () => {
    const inner = chain(give('nested a'), group([pass('nested b'), pass('nested c')]), pass('nested d'));
    const handle = await start(group([inner, give('nested e')]));
    await handle.result(WAIT);
    expect((await handle.status()).counts).toEqual(counts(2, 0, 2, 0));
    expect((await handle.children[0]!.status()).counts).toEqual(counts(4, 0, 4, 0));
  });

  itIf(runsOn(backend, backends, 1), '[V2] of a group that is added in batches', async () => {
    const members = Array.from({ length: 700 }, (_, n) => number.s(n));
    const handle = await start(chord(members, xsum.s()));
    expect(await handle.result(WAIT)).toBe(244_650);
    expect((await handle.status()).counts).toEqual(counts(701, 0, 701, 0));
    const empty = await start(group([]));
    await empty.result(WAIT);
    expect((await empty.status()).counts).toEqual(counts(0, 0, 0, 0));
  });

  it('[V2] is that of the job, and is the same with the id alone', async () => {
    const handle = await start(chain(number.s(1), number.s()));
    await handle.result(WAIT);
    const { counts: _, ready: _r, successful: _s, failed: _f, ...plain } = await handle.status();
    expect(await app.jobs.job(handle.id).status()).toEqual(plain);
  });

  it('[V9] results are read from the last step to the first', async () => {
    const plus = (y: number): Signature<number, number> => add.s({ y }, { into: 'x' });
    // 2 + 2 = 4; 4 + 1, 4 + 2; 5 + 6 = 11; 11 + 3 = 14
    const handle = await start(chain(add.s({ x: 2, y: 2 }), group([plus(1), plus(2)]), xsum.s(), plus(3)));
    await handle.result(WAIT);
    const results: unknown[] = [];
    for (let step: CanvasHandle | undefined = handle; step; step = step.parent) results.push(await step.result());
    expect(results).toEqual([14, 11, 4]);
    const body = handle.parent!;
    expect(await Promise.all(body.children.map((child) => child.result()))).toEqual([5, 6]);
    expect(handle.children).toEqual([]);
  });

  it('[V9] through groups that follow groups, and members that are chains', async () => {
    const member = chain(number.s(), number.s());
    const handle = await start(chain(number.s(7), group([member, number.s()]), group([xsum.s(), xsum.s()])));
    expect(await handle.result(WAIT)).toEqual([14, 14]);
    expect(await handle.parent!.result()).toEqual([7, 7]);
    expect(await handle.parent!.children[0]!.parent!.result()).toBe(7);
    expect(await handle.parent!.parent!.result()).toBe(7);
    expect(handle.parent!.parent!.parent).toBeUndefined();
  });
});
