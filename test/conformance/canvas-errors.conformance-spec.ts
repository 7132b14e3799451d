import { chain, chord, group, JobFailedError, type CanvasHandle, type Signature } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, fail, give, hold, Parts, pass, quiet, tell, tellAgain } from '../support/parts.js';
import { add, fail as failOfSums, number, Sums } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

describe.each(backends)('what fails in a canvas on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  let sums: Sums;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums] });
    parts = app.app.get(Parts);
    sums = app.app.get(Sums);
  });
  afterAll(() => app?.close());

  const start = <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => app.jobs.start(canvas);
  const failureOf = async (handle: CanvasHandle): Promise<JobFailedError> => {
    const error: unknown = await handle.result(WAIT).catch((thrown: unknown) => thrown);
    if (error instanceof JobFailedError) return error;
    throw new Error('the canvas did not fail', { cause: error });
  };

  it('[V7] a failed step stops the chain, which fails with its error', async () => {
    const canvas = chain(give('stop a'), fail.si({ at: 'stop b' }), pass('stop c'), pass('stop d'));
    const handle = await start(canvas);
    const [d, c, b, a] = [handle, handle.parent!, handle.parent!.parent!, handle.parent!.parent!.parent!];
    expect(a.parent).toBeUndefined();
    const error = { name: 'TypeError', message: 'stop b failed', code: 'E_PART' };
    for (const step of [d, c, b]) {
      expect(await failureOf(step)).toMatchObject({ name: 'JobFailedError', jobId: step.id, error });
    }
    expect(await a.result()).toBe('stop a');
    // The failed step was tried as often as it may be, and the ones behind it never.
    expect(parts.told('stop b').map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect([...parts.told('stop c'), ...parts.told('stop d')]).toEqual([]);
    expect(await b.status()).toMatchObject({ state: 'failed', error, attempt: 2 });
    expect((await b.status()).failedJob).toBeUndefined();
    for (const later of [c, d]) {
      expect(await later.status()).toMatchObject({ state: 'failed', error, attempt: 0, attempts: [], failedJob: b.id });
    }
  });

  it('[V7] what failed by itself says so, the other steps say which one did', async () => {
    // 2 + 2 = 4; then it breaks
    const handle = await start(
      chain(add.s({ x: 2, y: 2 }), failOfSums.si({ message: 'no' }), add.s({ x: 1 }, { into: 'y' })),
    );
    expect((await failureOf(handle)).error).toMatchObject({ name: 'NonRetryableError', message: 'no', code: 'ON_PURPOSE' }); // prettier-ignore
    expect(await handle.parent!.parent!.result()).toBe(4);
    expect(sums.ran).not.toContain('add undefined 1');
  });

  it('[V7] a step is tried again before its chain fails', async () => {
    const handle = await start(
      chain(give('again a'), tellAgain.s({ at: 'again b' }, { into: 'value' }), pass('again c')),
    );
    expect(await handle.result(WAIT)).toBe('again a');
    expect(parts.values('again b')).toEqual(['again a', 'again a']);
    expect(parts.values('again c')).toEqual(['again a']);
  });

  it('[V7] the body of a chord whose header failed never runs; the other members run on', async () => {
    const late = parts.gate('header late');
    const members = [give('header a'), breaks('header b'), hold.si({ at: 'header late' }), give('header d')];
    const handle = await start(chain(chord(members, pass('header body')), pass('header end')));
    const error = await failureOf(handle);
    expect(error.error).toMatchObject({ name: 'NonRetryableError', message: 'header b failed', code: 'E_PART' });
    const body = handle.parent!;
    expect((await failureOf(body)).error).toEqual(error.error);
    const [a, b, c, d] = body.children;
    expect(await a!.result(WAIT)).toBe('header a');
    expect((await failureOf(b!)).error).toEqual(error.error);
    expect(await d!.result(WAIT)).toBe('header d');
    await late.entered.reached;
    late.open.reach();
    expect(await c!.result(WAIT)).toBe('header late');
    await quiet(app);
    expect([...parts.told('header body'), ...parts.told('header end')]).toEqual([]);
    expect(await body.status()).toMatchObject({ state: 'failed', failedJob: b!.id, attempt: 0 });
    expect(await handle.status()).toMatchObject({ state: 'failed', failedJob: b!.id, attempt: 0 });
  });

  it('[V7] the error comes up from however deep, also through groups that were added later', async () => {
    const deep = chain(give('deep a'), group([pass('deep b'), chain(pass('deep c'), group([breaks('deep d')]))]));
    const handle = await start(chord([give('deep e'), chain(deep, pass('deep f'))], pass('deep g')));
    const error = await failureOf(handle);
    expect(error.error).toMatchObject({ message: 'deep d failed', code: 'E_PART' });
    const [failed] = parts.told('deep d');
    expect((await handle.status()).failedJob).toBe(failed!.id);
    await quiet(app);
    expect([...parts.told('deep f'), ...parts.told('deep g')]).toEqual([]);
    expect(parts.values('deep b')).toEqual(['deep a']);
  });

  it('[V7] a group fails when a member does, and a group with one that was cancelled is cancelled', async () => {
    expect((await failureOf(await start(group([give('plain a'), breaks('plain b')])))).error.message).toBe('plain b failed'); // prettier-ignore
    const gate = parts.gate('plain held');
    const handle = await start(chain(group([hold.si({ at: 'plain held' }), give('plain c')]), pass('plain body')));
    await gate.entered.reached;
    expect(await handle.children[0]!.cancel({ reason: 'not wanted' })).toBe(true);
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'not wanted' });
    await quiet(app);
    expect(parts.told('plain body')).toEqual([]);
  });

  it('[V7] what cannot be made a payload fails, and is not tried again', async () => {
    const merged = tell.s({ at: 'merged' }, { merge: true });
    for (const [value, found] of [
      [1, 'a number'],
      [[], 'a list'],
      [null, 'null'],
      ['text', 'a string'],
    ]) {
      // prettier-ignore
      const first = tell.s({ at: 'to merge', value }) as Signature<undefined, { value: unknown }>;
      const handle = await start(chain(first, merged));
      const { error } = await failureOf(handle);
      expect(error).toMatchObject({ name: 'CanvasPayloadError', message: expect.stringContaining(found as string) });
      expect(await handle.status()).toMatchObject({ attempt: 1 });
    }
    expect(parts.told('merged')).toEqual([]);
    const object = tell.s({ at: 'to merge', value: { at: 'theirs', value: 7 } }) as Signature<undefined, { value: 7 }>;
    expect(await (await start(chain(object, merged))).result(WAIT)).toBe(7);
  });

  it('[R6] a handler of failures sees a failure once, as that of the part that failed', async () => {
    const inner = chord([give('seen a'), breaks('seen b')], pass('seen c'));
    const handle = await start(chain(number.s(1), group([inner, give('seen d')]), pass('seen e'), pass('seen f')));
    await failureOf(handle);
    await quiet(app);
    const [failed] = parts.told('seen b');
    const seen = parts.handled.filter(({ rootId, id }) => rootId === handle.id || id === failed!.id);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ id: failed!.id, task: 'Parts.failAtOnce', error: { message: 'seen b failed' } });
    expect(sums.handled).not.toContain(handle.id);
  });
});
