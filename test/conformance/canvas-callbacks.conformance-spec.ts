import { WaitingError } from 'bullmq';
import { chain, chord, group, JobFailedError, type CanvasHandle, type Signature } from 'nestjs-jobs';
import { CanvasCallbacks } from '../../libs/jobs/src/canvas/canvas-callbacks.js';
import { withEnvelope } from '../../libs/jobs/src/client/envelope.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, failuresAt, give, hold, Parts, pass, quiet, tellAgain } from '../support/parts.js';
import { identity, number, Sums, xsum } from '../support/sums.js';
import { runsOn } from '../support/test-form.js';

const WAIT = { timeout: '50s' } as const;

describe.each(backends)('links and errbacks on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums] });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => app.jobs.start(canvas);
  /** Until all that comes of it has ended. */
  const run = async <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => {
    const handle = await start(canvas);
    await handle.result(WAIT).catch((error: unknown) => {
      if (!(error instanceof JobFailedError)) throw error;
    });
    await quiet(app);
    return handle;
  };
  /** 24 that succeed and 42 that fail. */
  const mixed = (name: string): Signature<unknown, unknown>[] =>
    Array.from({ length: 66 }, (_, n) => (n % 11 < 4 ? give(`${name} good`) : breaks(`${name} bad`)));

  it('[V7] an errback of a chord with a body of one task is called once, whatever number of members fail', async () => {
    const handle = await run(chord(mixed('chord'), pass('chord body')).linkError(pass('chord errback')));
    expect([parts.told('chord good').length, parts.told('chord bad').length]).toEqual([24, 42]);
    const { failedJob } = await handle.status();
    expect(parts.values('chord errback')).toEqual([
      {
        jobId: failedJob,
        task: 'Parts.failAtOnce',
        error: { name: 'NonRetryableError', message: 'chord bad failed', code: 'E_PART' },
      },
    ]);
    expect(parts.told('chord bad').map(({ id }) => id)).toContain(failedJob);
    expect(parts.told('chord body')).toEqual([]);
  });

  it('[V7] an errback of a group is called for each member that fails, with that one', async () => {
    await run(group(mixed('group')).linkError(pass('group errback')));
    const failures = failuresAt(parts, 'group errback');
    expect(failures).toHaveLength(42);
    const failed = parts.told('group bad').map(({ id }) => id);
    expect(new Set(failures.map(({ jobId }) => jobId))).toEqual(new Set(failed));
  });

  it('[V7] an errback of a chain is called once, whichever step fails', async () => {
    for (const bad of [0, 1, 2, 3]) {
      const name = `whole ${bad}`;
      const step = (n: number): Signature<unknown, unknown> =>
        n === bad ? breaks(`${name} bad`) : n === 2 ? group([give(name), give(name)]) : give(name);
      const handle = await run(chain(step(0), step(1), step(2), step(3)).linkError(pass(`${name} errback`)));
      const [failed] = parts.told(`${name} bad`);
      expect((await handle.status()).failedJob ?? handle.id).toBe(failed!.id);
      expect(failuresAt(parts, `${name} errback`).map(({ jobId }) => jobId)).toEqual([failed!.id]);
    }
  });

  it('[V7] an errback of a chain is called once for a member of a group in it', async () => {
    const members = [give('inside'), chain(give('inside'), breaks('inside bad'))];
    await run(chain(give('inside'), group(members), pass('inside'), pass('inside')).linkError(pass('inside errback')));
    expect(failuresAt(parts, 'inside errback')).toEqual([
      expect.objectContaining({ jobId: parts.told('inside bad')[0]!.id, task: 'Parts.failAtOnce' }),
    ]);
  });

  it('[V7] an errback of a task is called for its own failure alone', async () => {
    const own = (at: string): Signature<unknown, unknown> => pass(at).linkError(pass('own errback'));
    await run(chain(breaks('own first'), own('own a'), own('own b')));
    await run(chain(give('own'), breaks('own second').linkError(pass('own errback')), own('own c')));
    await run(chain(give('own'), group([own('own d'), breaks('own third')]), give('own')));
    await run(chain(breaks('own fourth'), chord([give('own')], own('own e'))));
    expect(failuresAt(parts, 'own errback').map(({ error }) => error.message)).toEqual(['own second failed']);
  });

  it('[V7] an errback of a chain in a chain is called for its steps, and not for those before or after', async () => {
    const steps = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const bad of steps) {
      const step = (at: string): Signature<unknown, unknown> => (at === bad ? breaks(`inner ${at}`) : give(`inner ${at}`)); // prettier-ignore
      const inner = chain(step('b'), group([step('c'), give('inner')]), step('d'), step('e'));
      await run(chain(step('a'), inner.linkError(pass('inner errback')), step('f')).linkError(pass('outer errback')));
    }
    const messages = (at: string): string[] => failuresAt(parts, at).map(({ error }) => error.message);
    expect(messages('inner errback')).toEqual(['b', 'c', 'd', 'e'].map((at) => `inner ${at} failed`));
    expect(messages('outer errback')).toEqual(steps.map((at) => `inner ${at} failed`));
  });

  const long: [length: number, bad: number, from: number, to: number, isTold: boolean][] = [
    [300, 5, 197, 203, false],
    [300, 198, 197, 203, true],
    [300, 202, 197, 203, true],
    [500, 5, 397, 403, false],
  ];
  it.each(long.filter((_chain, n) => runsOn(backend, backends, n)))(
    '[V7] in a chain of %d steps that breaks at %d, those from %d to %d: %s',
    async (length, bad, from, to, isTold) => {
      // Such a chain is added in pieces of 200.
      const name = `long ${length} ${bad}`;
      const step = (n: number): Signature<unknown, unknown> => (n === bad ? breaks(`${name} bad`) : identity.si(n));
      const steps = Array.from({ length }, (_, n) => step(n));
      const inner = chain(...steps.slice(from, to)).linkError(pass(`${name} inner`));
      await run(chain(...steps.slice(0, from), inner, ...steps.slice(to)).linkError(pass(`${name} outer`)));
      expect(parts.told(`${name} inner`)).toHaveLength(isTold ? 1 : 0);
      const [failed] = parts.told(`${name} bad`);
      expect(failuresAt(parts, `${name} outer`).map(({ jobId }) => jobId)).toEqual([failed!.id]);
    },
  );

  it('[V7] each part of a tree calls its own errbacks', async () => {
    const bad = breaks('tree bad').linkError(pass('tree task')).linkError(pass('tree task too'));
    const member = chain(give('tree'), bad).linkError(pass('tree member'));
    const header = group([member, give('tree')]).linkError(pass('tree group'));
    await run(chain(give('tree'), header, pass('tree body')).linkError(pass('tree all')));
    const { id } = parts.told('tree bad')[0]!;
    for (const at of ['tree task', 'tree task too', 'tree member', 'tree group', 'tree all']) {
      expect([at, failuresAt(parts, at).map(({ jobId }) => jobId)]).toEqual([at, [id]]);
    }
  });

  it('[V7] an errback may be tried again, be a chain, or fail itself', async () => {
    const again = tellAgain.s({ at: 'errs again' }, { into: 'value' });
    const long = chain(pass('errs long'), group([pass('errs a'), pass('errs b')]), pass('errs end'));
    const lost = chain(pass('errs lost'), breaks('errs lost bad'));
    await run(
      breaks('errs')
        .linkError(again)
        .linkError(long)
        .linkError(lost.linkError(pass('errs of lost'))),
    );
    const failure = expect.objectContaining({ jobId: parts.told('errs')[0]!.id });
    expect(parts.told('errs again').map(({ attempt, value }) => [attempt, value])).toEqual([[1, failure], [2, failure]]); // prettier-ignore
    expect(parts.values('errs end')).toEqual([[failure, failure]]);
    expect(failuresAt(parts, 'errs of lost').map(({ error }) => error.message)).toEqual(['errs lost bad failed']);
  });

  it('[V7] nobody is called back for what was cancelled', async () => {
    const gate = parts.gate('called off');
    const held = hold.si({ at: 'called off' }).link(pass('called off link')).linkError(pass('called off errback'));
    const handle = await start(chain(held, give('called off next')).linkError(pass('called off errback')));
    await gate.entered.reached;
    await handle.cancel();
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
    await quiet(app);
    expect([...parts.told('called off link'), ...parts.told('called off errback')]).toEqual([]);
  });

  it('[V7] a link gets the result, and is not waited for', async () => {
    const gate = parts.gate('slow link');
    const slow = hold.s({ at: 'slow link' }, { into: 'value' });
    const canvas = chain(give('linked').link(pass('linked a')).link(slow), pass('linked end'));
    expect(await (await start(canvas)).result(WAIT)).toBe('linked');
    await gate.entered.reached;
    gate.open.reach();
    await quiet(app);
    expect(parts.values('linked a')).toEqual(['linked']);
    expect(parts.values('slow link')).toEqual(['linked']);
  });

  it('[V7] a link of a chain is called once, after its last step; one of a group once, with the list', async () => {
    const [one, two] = [number.s(1), number.s(2)];
    await run(chain(one, number.si(3)).link(pass('link chain')));
    await run(group([one, two]).link(pass('link group')));
    await run(chain(one, group([number.s(), number.s()]).link(pass('link inner'))));
    await run(chain(group([one, two]).link(pass('link header')), xsum.s().link(pass('link body'))));
    await run(group([]).link(pass('link empty')));
    expect(parts.values('link chain')).toEqual([3]);
    expect(parts.values('link group')).toEqual([[1, 2]]);
    expect(parts.values('link inner')).toEqual([[1, 1]]);
    expect(parts.values('link header')).toEqual([[1, 2]]);
    expect(parts.values('link body')).toEqual([3]);
    expect(parts.values('link empty')).toEqual([[]]);
  });

  it('[V7] a link may be a chord, with links of its own', async () => {
    const triple = chord([number.s(), number.s(), number.s()], xsum.s()).link(pass('link of link'));
    const handle = await run(number.s(14).link(triple));
    expect(await handle.result()).toBe(14);
    // 14 + 14 + 14
    expect(parts.values('link of link')).toEqual([42]);
  });

  it('[V7] what failed calls no links, and what succeeded no errbacks', async () => {
    await run(chain(breaks('no link').link(pass('no callback')), pass('no link b').link(pass('no callback'))));
    await run(give('no errback').linkError(pass('no callback')));
    await run(group([give('no errback'), breaks('no link c')]).link(pass('no callback')));
    expect(parts.told('no callback')).toEqual([]);
  });

  it('[V7] a link gets a result that is not kept', async () => {
    const canvas = give('not kept').set({ keepResult: false }).link(pass('not kept link'));
    await run(canvas);
    expect(parts.values('not kept link')).toEqual(['not kept']);
  });

  it('[V7] links that the store refuses to the end are given up, and the job that has them is not', async () => {
    const handle = await run(give('refused').link(pass('refused link')));
    const job = withEnvelope((await app.jobs.queue('default').getJob(handle.id))!);
    expect(job.data.c?.l).toHaveLength(1);
    const callbacks = app.app.get(CanvasCallbacks);
    await expect(callbacks.succeeding(job, 'refused', () => Promise.reject(new Error('OOM')))).resolves.toBeUndefined();
    // One that is in other hands by now is no refusal.
    const givenBack = (): Promise<void> => Promise.reject(new WaitingError());
    await expect(callbacks.succeeding(job, 'refused', givenBack)).rejects.toBeInstanceOf(WaitingError);
  });
});
