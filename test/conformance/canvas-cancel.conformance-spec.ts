import { chain, chord, group, type CanvasHandle, type Signature, type StartOptions } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';
import { give, hold, insist, Parts, pass, quiet } from '../support/parts.js';
import { itIf, runsOn } from '../support/test-form.js';

const WAIT = { timeout: '50s' } as const;

describe.each(backends)('cancelling a canvas on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts] });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = (canvas: Signature<undefined, unknown>, options?: StartOptions): Promise<CanvasHandle> =>
    app.jobs.start(canvas, options);
  const expectCancelled = async (handle: CanvasHandle, reason: string): Promise<void> => {
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason });
    await quiet(app);
    expect(await handle.status()).toMatchObject({ state: 'cancelled', reason });
  };

  it('[A6] by its handle cancels what runs, what waits for its time, and what waits for others', async () => {
    const gate = parts.gate('all held');
    const delayed = give('all b').set({ delay: '1h' });
    const members = [hold.si({ at: 'all held' }), delayed, chain(delayed, pass('all c')), give('all d')];
    const handle = await start(chain(chord(members, pass('all e')), group([pass('all f')]), pass('all g')));
    await gate.entered.reached;
    const body = handle.parent!;
    const [a, b, c, d] = body.children as [CanvasHandle, CanvasHandle, CanvasHandle, CanvasHandle];
    expect(await d.result(WAIT)).toBe('all d');
    expect(await handle.cancel({ reason: 'enough' })).toBe(true);
    await expectCancelled(handle, 'enough');
    for (const part of [a, b, c, c.parent!, body]) {
      expect(await part.status()).toMatchObject({ state: 'cancelled', reason: 'enough' });
    }
    expect(await d.status()).toMatchObject({ state: 'succeeded' });
    for (const at of ['b', 'c', 'e', 'f', 'g']) expect(parts.told(`all ${at}`)).toEqual([]);
    expect(await handle.status()).toMatchObject({ ready: true, successful: false, failed: false });
    expect(parts.handled).toEqual([]);
  });

  it.each(['handle', 'stamp'])('[A6] by its %s before a group behind a step was added', async (by) => {
    const gate = parts.gate(`before ${by}`);
    const canvas = chain(
      insist.si({ at: `before ${by}` }),
      group([pass('before b'), chain(pass('before c'), group([pass('before d')]))]),
      pass('before e'),
    );
    const handle = await start(canvas.stamp(`before ${by}`));
    await gate.entered.reached;
    if (by === 'handle') await handle.cancel({ reason: 'enough' });
    else await app.jobs.cancelByTag(`before ${by}`, { reason: 'enough' });
    // It ends well all the same.
    gate.open.reach();
    await expectCancelled(handle, 'enough');
    for (const at of ['b', 'c', 'd', 'e']) expect(parts.told(`before ${at}`)).toEqual([]);
  });

  it.each(['handle', 'stamp'])('[A6] by its %s after a group behind a step was added', async (by) => {
    const gate = parts.gate(`after ${by}`);
    const members = [hold.s({ at: `after ${by}` }, { into: 'value' }), pass('after b').set({ delay: '1h' })];
    const canvas = chain(give('after a'), group(members), pass('after c'), group([pass('after d')]));
    const handle = await start(canvas.stamp(`after ${by}`));
    await gate.entered.reached;
    if (by === 'handle') await handle.cancel({ reason: 'enough' });
    else await app.jobs.cancelByTag(`after ${by}`, { reason: 'enough' });
    await expectCancelled(handle, 'enough');
    for (const at of ['b', 'c', 'd']) expect(parts.told(`after ${at}`)).toEqual([]);
  });

  itIf(
    runsOn(backend, backends, 0),
    '[A6] by a stamp in a long chain, whose later steps were not added yet',
    async () => {
      const gate = parts.gate('long');
      const steps = Array.from({ length: 300 }, () => pass('long b'));
      const handle = await start(chain(insist.si({ at: 'long' }), ...steps).stamp('long'));
      await gate.entered.reached;
      await app.jobs.cancelByTag('long', { reason: 'enough' });
      gate.open.reach();
      await expectCancelled(handle, 'enough');
      expect(parts.told('long b')).toEqual([]);
    },
  );

  itIf(runsOn(backend, backends, 1), '[A6] while the members of a group behind a step are added', async () => {
    const gate = parts.gate('adding');
    const waiting = Array.from({ length: 600 }, () => pass('adding b').set({ delay: '1h' }));
    const first = hold.s({ at: 'adding' }, { into: 'value' });
    const handle = await start(chain(give('adding a'), group([first, ...waiting]), pass('adding c')));
    await gate.entered.reached;
    await handle.cancel({ reason: 'enough' });
    await expectCancelled(handle, 'enough');
    expect([...parts.told('adding b'), ...parts.told('adding c')]).toEqual([]);
  });

  itIf(runsOn(backend, backends, 2), '[A6] while the members of an iterable are added', async () => {
    const cancelled = signal();
    const first = parts.gate('stream');
    const members = async function* (): AsyncGenerator<Signature<unknown, unknown>> {
      yield hold.si({ at: 'stream' });
      for (let n = 0; n < 700; n++) yield give('stream b').set({ delay: '1h' });
      await cancelled.reached;
      for (let n = 0; n < 300; n++) yield give('stream b').set({ delay: '1h' });
    };
    const starting = start(chord(members(), pass('stream c')), { tags: ['stream'] });
    await first.entered.reached;
    await app.jobs.cancelByTag('stream', { reason: 'enough' });
    cancelled.reach();
    await expectCancelled(await starting, 'enough');
    expect([...parts.told('stream b'), ...parts.told('stream c')]).toEqual([]);
  });

  it('[A6] cancels its links and errbacks that wait, by its stamp', async () => {
    const slow = pass('called').set({ delay: '1h' });
    const handle = await start(
      give('calls')
        .link(slow)
        .link(chain(pass('called now'), slow))
        .stamp('calls'),
    );
    await handle.result(WAIT);
    const delayed = async (): Promise<number> => app.jobs.queue('default').getDelayedCount();
    await eventually(async () => (await delayed()) === 2);
    expect(await app.jobs.cancelByTag('calls')).toEqual({ cancelled: 2, asked: 0 });
    await quiet(app);
    expect([parts.told('called now').length, parts.told('called').length]).toEqual([1, 0]);
  });

  it('[A6] one that has ended cannot be cancelled', async () => {
    const handle = await start(chain(give('ended a'), group([pass('ended b')])));
    await handle.result(WAIT);
    expect(await handle.cancel()).toBe(false);
    expect(await handle.status()).toMatchObject({ state: 'succeeded' });
  });

  it('[A6] of one part alone cancels what waits for it, and nothing beside it', async () => {
    const gate = parts.gate('alone');
    const beside = hold.si({ at: 'alone' });
    const handle = await start(chord([give('alone a').set({ delay: '1h' }), beside], pass('alone b')));
    await gate.entered.reached;
    await handle.children[0]!.cancel({ reason: 'this one' });
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'this one' });
    expect(await handle.children[1]!.status()).toMatchObject({ state: 'running' });
    gate.open.reach();
    expect(await handle.children[1]!.result(WAIT)).toBe('alone');
  });
});
