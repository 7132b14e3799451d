import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  JobsService,
  Signature,
  Task,
  task,
  type CanvasHandle,
  type CanvasJson,
  type StartOptions,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, give, hold, Parts, pass, quiet, tell, tellAgain } from '../support/parts.js';

const WAIT = { timeout: '50s' } as const;

@Injectable()
class Begin {
  constructor(private readonly jobs: JobsService) {}

  @Task()
  async begin({ canvas }: { canvas: CanvasJson }): Promise<string> {
    return (await this.jobs.start(Signature.from(canvas))).id;
  }
}

const begin = task(Begin, 'begin');

describe.each(backends)('a canvas that runs on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Begin], options: { queues: { other: {} } } });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = (canvas: Signature<undefined, unknown>, options?: StartOptions): Promise<CanvasHandle> =>
    app.jobs.start(canvas, options);
  const stored = async ({ id }: { id: string }) => (await app.jobs.queue(id.slice(0, id.indexOf('_'))).getJob(id))!;
  /** The jobs of a chain, the last one first. */
  const stepsOf = (handle: CanvasHandle): CanvasHandle[] =>
    handle.parent ? [handle, ...stepsOf(handle.parent)] : [handle];

  it('[V6] each job knows the root, and the job that waits for it', async () => {
    const canvas = chain(give('ids a'), group([pass('ids b'), chain(pass('ids c'), pass('ids d'))]), pass('ids e'));
    const handle = await start(chain(canvas, group([pass('ids f')])));
    await handle.result(WAIT);
    for (const at of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const [told] = parts.told(`ids ${at}`);
      expect([at, told!.rootId]).toEqual([at, handle.id]);
      const status = await app.jobs.job(told!.id).status();
      expect(status).toMatchObject({ rootId: handle.id, parentId: told!.parentId });
      expect((await app.jobs.job(status.parentId!).status()).rootId ?? handle.id).toBe(handle.id);
    }
    const status = await handle.status();
    expect([status.rootId, status.parentId]).toEqual([undefined, undefined]);
    const body = handle.parent!;
    expect(body.children.map(({ id }) => id)).toEqual([parts.told('ids b')[0]!.id, parts.told('ids d')[0]!.id]);
    expect(parts.told('ids b')[0]!.parentId).toBe(body.id);
    expect(parts.told('ids c')[0]!.parentId).toBe(parts.told('ids d')[0]!.id);
  });

  it('[V6] one that is started in a task has the headers and the root of that', async () => {
    const canvas = chain(give('begun a'), group([pass('begun b'), pass('begun c')])).link(pass('begun link'));
    const by = await app.jobs.enqueue(begin, { canvas: canvas.toJSON() }, { headers: { tenant: 'acme' } });
    await app.jobs.job((await by.result(WAIT))).result(WAIT); // prettier-ignore
    await quiet(app);
    for (const at of ['a', 'b', 'c', 'link']) {
      expect(parts.told(`begun ${at}`)[0]).toMatchObject({ rootId: by.id, headers: { tenant: 'acme' } });
    }
    expect(parts.told('begun a')[0]!.tags).toEqual([]);
  });

  it('[V6] headers of the start, of parts, and both', async () => {
    const own = pass('headers b').set({ headers: { step: 'b' } });
    await (await start(chain(give('headers a'), own, pass('headers c')), { headers: { tenant: 'acme' } })).result(WAIT);
    expect(parts.told('headers a')[0]!.headers).toEqual({ tenant: 'acme' });
    expect(parts.told('headers b')[0]!.headers).toEqual({ tenant: 'acme', step: 'b' });
    expect(parts.told('headers c')[0]!.headers).toEqual({ tenant: 'acme' });
  });

  it('[V7] stamps are on each job, on links and errbacks, and in each attempt', async () => {
    const late = group([tellAgain.s({ at: 'stamp c' }, { into: 'value' }), breaks('stamp d')]);
    const canvas = chain(give('stamp a').link(pass('stamp link')), pass('stamp b').stamp('own'), late)
      .linkError(chain(pass('stamp errback'), group([pass('stamp end')])))
      .stamp('one', 'two')
      .stamp('two');
    const handle = await start(canvas, { tags: ['start'] });
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError' });
    await quiet(app);
    const tags = (at: string): unknown => parts.told(`stamp ${at}`).map((told) => told.tags);
    const all = ['start', 'one', 'two'];
    expect(['a', 'b', 'c', 'd', 'link', 'errback', 'end'].map((at) => [at, tags(at)])).toEqual([
      ['a', [all]],
      ['b', [[...all, 'own']]],
      ['c', [all, all]],
      ['d', [all]],
      ['link', [all]],
      ['errback', [all]],
      ['end', [all]],
    ]);
    expect((await handle.status()).tags).toEqual(all);
  });

  it('[V6] the priority and the queue of the whole are those of the parts that have none of their own', async () => {
    const urgent = give('urgent').set({ priority: 9, queue: 'default' });
    const handle = await start(chain(give('place a'), chord([urgent], pass('place b'))), {
      priority: 2,
      queue: 'other',
    });
    await handle.result(WAIT);
    const [b, a, own] = [parts.told('place b')[0]!, parts.told('place a')[0]!, parts.told('urgent')[0]!];
    expect([a, b, own].map(({ id }) => id.slice(0, id.indexOf('_')))).toEqual(['other', 'other', 'default']);
    // BullMQ's largest number is the least urgent.
    for (const [told, priority] of [
      [a, 8],
      [b, 8],
      [own, 1],
    ] as const) {
      // prettier-ignore
      expect((await stored(told)).opts.priority).toBe(priority);
    }
  });

  it('[V6] the delay of a chain is that of its first step; one of a step begins when the step before is done', async () => {
    const handle = await start(chain(chain(give('delay a'), pass('delay b')), pass('delay c').set({ delay: '1h' })), {
      delay: '2h',
    });
    const [c, b, a] = stepsOf(handle) as [CanvasHandle, CanvasHandle, CanvasHandle];
    expect(await a.status()).toMatchObject({ state: 'scheduled' });
    expect(await b.status()).toMatchObject({ state: 'blocked' });
    await (await stored(a)).promote();
    expect(await b.result(WAIT)).toBe('delay a');
    await eventually(async () => (await c.status()).state === 'scheduled');
    await (await stored(c)).promote();
    expect(await c.result(WAIT)).toBe('delay a');
  });

  it('[V6] what did not start in the time of the whole is cancelled, unless it has a time of its own', async () => {
    const run = async (at: string, last: Signature<unknown, unknown>): Promise<CanvasHandle> => {
      const gate = parts.gate(at);
      const handle = await start(chain(hold.si({ at }).set({ expiresIn: false }), last), { expiresIn: 50 });
      await gate.entered.reached;
      const { createdAt } = await handle.status();
      await eventually(() => Date.now() > Date.parse(createdAt) + 100);
      gate.open.reach();
      return handle;
    };
    const handle = await run('expiry a', pass('expiry b'));
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'expired' });
    expect(await (await run('expiry c', pass('expiry d').set({ expiresIn: '1h' }))).result(WAIT)).toBe('expiry c');
    expect(parts.told('expiry b')).toEqual([]);
  });

  it('[V6] the time of a delayed chain begins after the delay, and that of a link when it starts', async () => {
    const handle = await start(chain(give('late a'), give('late b')), { delay: '2h', expiresIn: '1h' });
    const [b, a] = stepsOf(handle) as [CanvasHandle, CanvasHandle];
    const [ofB, ofA] = [(await stored(b)).data as { x: number }, (await stored(a)).data as { x: number }];
    expect(ofB.x).toBe(ofA.x);
    await handle.cancel();
    const gate = parts.gate('late');
    const link = chain(pass('late link a'), group([pass('late link b')])).set({ expiresIn: '30s' });
    const held = await start(hold.si({ at: 'late' }).link(link));
    await gate.entered.reached;
    const started = Date.now();
    await eventually(() => Date.now() > started + 5);
    gate.open.reach();
    await held.result(WAIT);
    await quiet(app);
    for (const at of ['a', 'b']) {
      const { x } = (await stored(parts.told(`late link ${at}`)[0]!)).data as { x: number };
      expect(x).toBeGreaterThan(started + 30_000);
    }
  });

  it('[V1] a result that is not kept is handed on, and only that of the end is not stored', async () => {
    const canvas = chain(give('kept a'), group([pass('kept b'), pass('kept c')]), pass('kept d'));
    const handle = await start(canvas.set({ keepResult: false }));
    expect(await handle.result(WAIT)).toBeNull();
    expect(parts.values('kept d')).toEqual([['kept a', 'kept a']]);
    const inner = chain(tell.si({ at: 'kept e', value: 7 }).set({ keepResult: false }), pass('kept f'));
    expect(await (await start(inner)).result(WAIT)).toBe(7);
  });
});
