import { chain, chord, group, type CanvasHandle, type Signature } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, failuresAt, give, hold, Parts, pass, quiet } from '../support/parts.js';
import { number, Sums } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;
const PARTIAL = { allowPartial: true } as const;

describe.each(backends)('groups whose members may fail on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums] });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => app.jobs.start(canvas);
  const result = async (canvas: Signature<undefined, unknown>): Promise<unknown> => (await start(canvas)).result(WAIT);
  const good = (value: unknown): unknown => ({ status: 'succeeded', value });
  const bad = (at: string): unknown => ({
    status: 'failed',
    error: { name: 'NonRetryableError', message: `${at} failed`, code: 'E_PART' },
  });

  it('[V8] the result tells what became of each member', async () => {
    const gate = parts.gate('kind held');
    const members = [give('kind a'), breaks('kind b'), hold.si({ at: 'kind held' }), number.s(7)];
    const handle = await start(group(members, PARTIAL));
    await gate.entered.reached;
    expect(await handle.children[2]!.cancel({ reason: 'not wanted' })).toBe(true);
    expect(await handle.result(WAIT)).toEqual([
      good('kind a'),
      bad('kind b'),
      { status: 'cancelled', error: { name: 'JobCancelledError', message: 'not wanted' } },
      good(7),
    ]);
    expect(await handle.status()).toMatchObject({ state: 'succeeded', successful: true, failed: false });
  });

  it('[V8] the body of a chord gets it', async () => {
    expect(await result(chord([give('body a'), breaks('body b')], pass('body'), PARTIAL))).toEqual([good('body a'), bad('body b')]); // prettier-ignore
    expect(parts.told('body')).toHaveLength(1);
  });

  it('[V8] of no members, and of members that all fail', async () => {
    expect(await result(group([], PARTIAL))).toEqual([]);
    expect(await result(chord([], pass('none'), PARTIAL))).toEqual([]);
    expect(await result(chain(number.s(1), group([], PARTIAL)))).toEqual([]);
    const all = [breaks('all a'), breaks('all b'), breaks('all c')];
    expect(await result(group(all, PARTIAL))).toEqual([bad('all a'), bad('all b'), bad('all c')]);
    expect(await result(chain(group(all, PARTIAL), pass('all')))).toEqual([bad('all a'), bad('all b'), bad('all c')]);
  });

  it('[V8] behind a step, and in a group that may not fail', async () => {
    const members = [chain(pass('step a'), pass('step b')), chain(pass('step c'), breaks('step d'), pass('step e'))];
    const inner = group(members, PARTIAL);
    expect(await result(chain(number.s(4), inner))).toEqual([good(4), bad('step d')]);
    expect(await result(chain(number.s(4), inner, pass('step f'), pass('step g')))).toEqual([good(4), bad('step d')]);
    expect(await result(group([chain(number.s(4), inner), number.s(5)]))).toEqual([[good(4), bad('step d')], 5]);
    expect(parts.told('step e')).toEqual([]);
  });

  it('[V8] a group in it that may not fail is one member, or fails with its own', async () => {
    const chords = [chord([give('strict a'), breaks('strict b')], pass('strict c')), chain(group([give('strict d')]), pass('strict e'))]; // prettier-ignore
    expect(await result(group(chords, PARTIAL))).toEqual([bad('strict b'), good(['strict d'])]);
    const strict = group([give('strict f'), breaks('strict g')]);
    expect(await result(group([strict, number.s(1)], PARTIAL))).toEqual([bad('strict g'), good(1)]);
    // Two that may fail are one.
    const partial = group([give('strict h'), breaks('strict i')], PARTIAL);
    expect(await result(group([partial, number.s(1)], PARTIAL))).toEqual([good('strict h'), bad('strict i'), good(1)]);
  });

  it('[V8] members that are cancelled before they began, or by the member they wait for', async () => {
    const gate = parts.gate('early');
    const waiting = chain(hold.si({ at: 'early' }), pass('early b'));
    const delayed = give('early c').set({ delay: '1h' });
    const handle = await start(group([waiting, delayed, give('early d')], PARTIAL));
    await gate.entered.reached;
    await handle.children[1]!.cancel();
    await handle.children[0]!.parent!.cancel({ reason: 'first' });
    const cancelled = (message: string): unknown => ({
      status: 'cancelled',
      error: { name: 'JobCancelledError', message },
    });
    expect(await handle.result(WAIT)).toEqual([cancelled('first'), cancelled('cancelled'), good('early d')]);
    await quiet(app);
    expect([...parts.told('early b'), ...parts.told('early c')]).toEqual([]);
  });

  it('[V8] a failed member is still told of to its errbacks and to handlers of failures', async () => {
    const members = [give('told'), breaks('told bad')];
    await result(chord(group(members, PARTIAL).linkError(pass('told errback')), pass('told body')));
    await quiet(app);
    const [{ id }] = parts.told('told bad') as [{ id: string }, ...unknown[]];
    expect(failuresAt(parts, 'told errback').map(({ jobId }) => jobId)).toEqual([id]);
    expect(parts.handled.filter((failure) => failure.id === id)).toHaveLength(1);
    expect((await app.jobs.deadLetters.get(id)).error).toMatchObject({ message: 'told bad failed' });
  });

  it('[V8] [V2] failed members are counted', async () => {
    const handle = await start(chord([give('count a'), breaks('count b'), breaks('count c')], pass('count'), PARTIAL));
    await handle.result(WAIT);
    expect((await handle.status()).counts).toEqual({ total: 4, open: 0, succeeded: 2, failed: 2 });
  });
});
