import { jest } from '@jest/globals';
import { Job } from 'bullmq';
import { chain, chord, group, type Signature } from 'nestjs-jobs';
import type { Fault } from '../fixtures/canvas-faults.js';
import { body, errback, item, link, replaced, type Item } from '../fixtures/canvas-tasks.js';
import { backends } from '../support/backends.js';
import { allHasEnded, CanvasCrashes } from '../support/canvas-crashes.js';
import { eventually } from '../support/eventually.js';
import type { JobsApp } from '../support/jobs-app.js';
import { isFull, itIf, runsOn, sized } from '../support/test-form.js';

const WAIT = { timeout: '60s' } as const;

const REPLACEMENT_GAPS: { gap: string; fault: Fault }[] = [
  {
    gap: 'after what it is replaced with is stored, and before that is added',
    fault: { call: 'Job.updateData', of: '.2', when: 'after' },
  },
  {
    gap: 'after it is added, and before the job waits for it',
    fault: { call: 'Job.moveToWaitingChildren', of: '.2', when: 'before' },
  },
  {
    gap: 'when the job waits for it',
    fault: { call: 'Job.moveToWaitingChildren', of: '.2', when: 'after', atOnce: true },
  },
  {
    gap: 'before its own end is stored',
    fault: { call: 'Job.moveToCompleted', of: '.2', when: 'before' },
  },
];

const [ADDED, STORED] = [
  { call: 'FlowProducer.add', when: 'after', atOnce: true },
  { call: 'Job.moveToCompleted', when: 'before' },
] as const;
const CALLBACK_GAPS: { gap: string; fault: (callback: 'l0' | 'e0') => Fault }[] = [
  {
    gap: 'the end that it is for is not stored',
    fault: (callback) => ({ call: 'Queue.addBulk', of: `-${callback}`, when: 'after' }),
  },
  {
    gap: 'it is about to be added',
    fault: (callback) => ({ ...ADDED, of: `-${callback}.0`, when: 'before' }),
  },
  {
    gap: 'it was added, and that is not stored',
    fault: (callback) => ({ ...ADDED, of: `-${callback}.0` }),
  },
  {
    gap: 'it has run, and that it was added is not stored',
    fault: (callback) => ({ ...STORED, of: `-${callback}` }),
  },
];
const CALLBACKS = CALLBACK_GAPS.flatMap((gap) =>
  (['a link', 'an errback', 'an errback of a body'] as const).map((kind) => ({ ...gap, kind })),
);

/** In a short run each kind once, in the gaps that no other test has then. */
const CALLBACKS_HERE = isFull ? CALLBACKS : [CALLBACKS[9]!, CALLBACKS[7]!, CALLBACKS[5]!];
/** Those of which a short run has another death in the same gap are left to the full one. */
const REPLACEMENT_GAPS_HERE = isFull ? REPLACEMENT_GAPS : [REPLACEMENT_GAPS[0]!, REPLACEMENT_GAPS[2]!];

/** A job whose end is not stored at first. */
const SECOND_THOUGHTS: { fails: Item['fails']; first: 'l0' | 'e0'; links: number; errbacks: number }[] = [
  { fails: 'once', first: 'e0', links: 1, errbacks: 0 },
  { fails: 'later', first: 'l0', links: 0, errbacks: 1 },
];

describe.each(backends)('jobs of a canvas whose process is killed -9 on $name', (backend) => {
  const crashes = new CanvasCrashes(backend);
  afterEach(() => jest.restoreAllMocks());

  /** Of the canvas of which a process has died; nothing of it goes on afterwards. */
  async function ends<T>(id: string, look: (app: JobsApp) => Promise<T>): Promise<T> {
    const app = await crashes.goOn();
    await app.jobs
      .job(id)
      .result(WAIT)
      .catch(() => undefined);
    const seen = await look(app);
    await allHasEnded(app);
    await app.close();
    return seen;
  }
  const statusOf = (id: string) => ends(id, ({ jobs }) => jobs.job(id).status());

  function replacing(by: Signature<unknown, unknown>): Signature<undefined, unknown> {
    const third = replaced.s({ by: by.toJSON() }).link(link.s()).linkError(errback.s());
    return chord([item.si({ n: 1 }), item.si({ n: 2 }), third, item.si({ n: 4 })], body.s());
  }

  for (const each of REPLACEMENT_GAPS_HERE.filter((_gap, n) => runsOn(backend, backends, 2 - n))) {
    it.each([each])('[V8] of a job that replaces itself, $gap: all goes on, in its place', async ({ fault }) => {
      const by = chord([item.si({ n: 20 }), item.si({ n: 22 })], body.s());
      const id = await crashes.diesIn(replacing(by), { fault });
      const { state, result } = await statusOf(id);
      expect({ state, result }).toEqual({ state: 'succeeded', result: [1, 2, [20, 22], 4] });
      expect(crashes.told('body')).toEqual([
        [20, 22],
        [1, 2, [20, 22], 4],
      ]);
      expect(crashes.told('replaced')).toHaveLength(1);
      expect(crashes.told('item')).toHaveLength(5);
      expect([crashes.told('link'), crashes.told('errback')]).toEqual([[[20, 22]], []]);
    });
  }

  itIf(
    runsOn(backend, backends, 2),
    '[V8] of a job that replaces itself, before what it is replaced with is stored: that was an attempt, and its only one',
    async () => {
      const fault = { call: 'Job.updateData', of: '.2', when: 'before' } as const;
      const id = await crashes.diesIn(replacing(chain(item.si({ n: 20 }), body.si([]))), { fault });
      const { error, failedJob: jobId } = await statusOf(id);
      expect(error).toMatchObject({ name: 'JobStalledError' });
      expect(crashes.told('errback')).toMatchObject([{ jobId, error }]);
      expect([crashes.told('body'), crashes.told('link')]).toEqual([[], []]);
    },
  );

  itIf(
    runsOn(backend, backends, 1),
    '[V8] of a job that replaces itself, when that has failed and the job does not wait for it yet: it fails once',
    async () => {
      const fault = { call: 'Job.moveToWaitingChildren', of: '.2', when: 'before' } as const;
      const id = await crashes.diesIn(replacing(chain(item.si({ n: 20, fails: 'always' }), body.si([]))), { fault });
      const { state, error, failedJob } = await statusOf(id);
      expect({ state, message: error?.message }).toEqual({ state: 'failed', message: 'item 20 in attempt 1' });
      expect(crashes.told('errback')).toMatchObject([{ jobId: failedJob, error: { message: 'item 20 in attempt 1' } }]);
      expect([crashes.told('body'), crashes.told('link')]).toEqual([[], []]);
      expect(crashes.told('replaced')).toHaveLength(1);
    },
  );

  itIf(runsOn(backend, backends, 1), '[V8] a replacement that fails before the job waits for it', async () => {
    const app = await crashes.goOn();
    const waits = jest.spyOn(Job.prototype, 'moveToWaitingChildren');
    waits.mockImplementationOnce(async function (this: Job, token, options) {
      await eventually(async () => expect(await this.getDependencies()).toMatchObject({ failed: [expect.anything()] }));
      return this.moveToWaitingChildren(token, options);
    });
    const { id } = await app.jobs.start(replacing(item.si({ n: 20, fails: 'always' })));
    const error = { name: 'NonRetryableError', message: 'item 20 in attempt 1', code: 'ON_PURPOSE' };
    await expect(app.jobs.job(id).result(WAIT)).rejects.toMatchObject({ error });
    await allHasEnded(app);
    await app.close();
    expect(crashes.told('errback')).toMatchObject([{ error }]);
  });

  itIf(runsOn(backend, backends, 2), '[V8] the body of a chord that replaces itself', async () => {
    const app = await crashes.goOn();
    const by = chord([item.si({ n: 20 }), item.si({ n: 22 })], body.s());
    const canvas = chord([item.si({ n: 1 }), item.si({ n: 2 })], replaced.si({ by: by.toJSON() }));
    expect(await (await app.jobs.start(canvas)).result(WAIT)).toEqual([20, 22]);
    await allHasEnded(app);
    await app.close();
  });

  for (const each of CALLBACKS_HERE.filter((_callback, n) => runsOn(backend, backends, n))) {
    it.each([each])('[V7] around $kind, when $gap: it runs once', async ({ kind, fault }) => {
      const fails = kind === 'a link' ? undefined : 'always';
      const failing = item.si({ n: 5, ...(fails && { fails }) });
      const canvas =
        kind === 'an errback of a body'
          ? chord([failing, item.si({ n: 6 })], body.s().link(link.s()).linkError(errback.s()))
          : failing.link(link.s()).linkError(errback.s());
      const id = await crashes.diesIn(canvas, { fault: fault(kind === 'a link' ? 'l0' : 'e0') });
      const { state, error, failedJob = id } = await statusOf(id);
      expect(state).toBe(kind === 'a link' ? 'succeeded' : 'failed');
      expect(crashes.told('link')).toEqual(kind === 'a link' ? [5] : []);
      const failure = { jobId: failedJob, task: 'canvas.item', error };
      expect(crashes.told('errback')).toEqual(kind === 'a link' ? [] : [failure]);
      expect(crashes.told('body')).toEqual([]);
    });
  }

  // They mirror each other.
  for (const each of SECOND_THOUGHTS.slice(0, sized(2, 1)).filter((_end, n) => runsOn(backend, backends, n + 1))) {
    it.each([each])(
      '[V7] of a job that fails $fails: only the callbacks run of the end that is stored',
      async (end) => {
        const canvas = item.si({ n: 5, fails: end.fails! }).link(link.s()).linkError(errback.s());
        const fault = { call: 'Queue.addBulk', of: `-${end.first}`, when: 'after' } as const;
        const id = await crashes.diesIn(canvas, { fault });
        const { state } = await statusOf(id);
        expect(state).toBe(end.links === 1 ? 'succeeded' : 'failed');
        expect(crashes.told('item')).toHaveLength(2);
        expect([crashes.told('link').length, crashes.told('errback').length]).toEqual([end.links, end.errbacks]);
      },
    );
  }

  itIf(runsOn(backend, backends, 2), '[V2] before the results that it has gathered are stored', async () => {
    const first = group([0, 1, 2].map((n) => item.si({ n })));
    const canvas = chain(first, group([3, 4].map((n) => item.si({ n }))), body.s());
    const id = await crashes.diesIn(canvas, { fault: { call: 'Job.moveToCompleted', of: '-0', when: 'before' } });
    expect(await statusOf(id)).toMatchObject({ state: 'succeeded', result: [3, 4] });
    expect((crashes.told('item') as number[]).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    expect(crashes.told('body')).toEqual([[3, 4]]);
  });
});
