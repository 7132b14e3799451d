import { jest } from '@jest/globals';
import { FlowProducer } from 'bullmq';
import { chain, chord, group, type Signature } from 'nestjs-jobs';
import type { Fault } from '../fixtures/canvas-faults.js';
import { body, CONCURRENCY, errback, item } from '../fixtures/canvas-tasks.js';
import { backends } from '../support/backends.js';
import { allHasEnded, CanvasCrashes } from '../support/canvas-crashes.js';
import { isFull, itIf, runsOn, sized } from '../support/test-form.js';

const WAIT = { timeout: '60s' } as const;

/** Members that come after a step, and how many are added at a time. */
const MEMBERS = 300;
const PAGE = 125;
/** The result of the step. */
const STEP = 1_000;
/** Of the members, the one that fails where one does. */
const FAILING = 7;

const firstOf = (page: number): string => `.${page * PAGE}`;
const SPAWNER_GAPS: { gap: string; fault: Fault; added: number }[] = [
  {
    gap: 'before its first page is added',
    fault: { call: 'FlowProducer.addBulk', of: firstOf(0), when: 'before' },
    added: 0,
  },
  {
    gap: 'between two pages',
    fault: { call: 'FlowProducer.addBulk', of: firstOf(0), when: 'after' },
    added: PAGE,
  },
  {
    gap: 'after its last page',
    fault: { call: 'FlowProducer.addBulk', of: firstOf(2), when: 'after' },
    added: MEMBERS,
  },
  {
    gap: 'before its own end is stored',
    fault: { call: 'Job.moveToCompleted', of: '.s', when: 'before' },
    added: MEMBERS,
  },
];
const BECOMES = ['all succeed', 'one has failed, and all are told of', 'one has failed'] as const;
const SPAWNS = SPAWNER_GAPS.flatMap((gap) =>
  BECOMES.map((becomes) => ({ ...gap, becomes })).filter(({ added, becomes }) => added > 0 || becomes === BECOMES[0]),
);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const sorted = (values: unknown[]): number[] => (values as number[]).toSorted((a, b) => a - b);

function spawned(becomes: (typeof BECOMES)[number]): Signature<undefined, unknown> {
  const member = (n: number) => {
    const fails = n === FAILING && becomes !== 'all succeed';
    return item.s({ n, ...(fails && { fails: 'always' }) }, { into: 'plus' });
  };
  const allowPartial = becomes === 'one has failed, and all are told of';
  const members = numbers(MEMBERS).map(member);
  const header = allowPartial ? group(members, { allowPartial }) : group(members);
  return chain(item.si({ n: STEP }), header, body.s().linkError(errback.s()));
}

/** In a short run none, some and all are added once, and each of what becomes of it once, in turn on the stores. */
const SPAWNS_HERE = isFull ? SPAWNS : [SPAWNS[0]!, SPAWNS[2]!, SPAWNS[9]!];

describe.each(backends)('a canvas whose process is killed -9 on $name', (backend) => {
  const crashes = new CanvasCrashes(backend);
  afterEach(() => jest.restoreAllMocks());

  itIf(
    runsOn(backend, backends, 2),
    '[V3] with half of a header done: the body runs once, with all of it',
    async () => {
      const header = numbers(sized(200, 100));
      const canvas = chord(
        header.map((n) => item.si({ n })),
        body.s(),
      );
      const id = await crashes.diesIn(canvas, { diesAfter: header.length / 2 + CONCURRENCY });
      expect(crashes.told('item')).toHaveLength(header.length / 2 + CONCURRENCY);
      const app = await crashes.goOn();
      expect(await app.jobs.job(id).result(WAIT)).toEqual(header);
      await allHasEnded(app);
      await app.close();
      const ran = sorted(crashes.told('item'));
      expect([...new Set(ran)]).toEqual(header);
      // Those that were running.
      expect(ran.length).toBeLessThanOrEqual(header.length + CONCURRENCY);
      expect(crashes.told('body')).toEqual([header]);
    },
  );

  for (const spawn of SPAWNS_HERE.filter((_spawn, n) => runsOn(backend, backends, n + 1))) {
    it.each([spawn])('[V6] in what adds a group, $gap; $becomes', async ({ fault, added, becomes }) => {
      const id = await crashes.diesIn(spawned(becomes), { fault });
      expect(sorted(crashes.told('item'))).toEqual([...numbers(added), STEP]);
      const addBulk = jest.spyOn(FlowProducer.prototype, 'addBulk');
      const app = await crashes.goOn();
      const job = app.jobs.job(id);
      const results = numbers(MEMBERS).map((n) => n + STEP);
      const error = { name: 'NonRetryableError', message: `item ${FAILING} in attempt 1`, code: 'ON_PURPOSE' };
      const settled = results.map((value, n) =>
        n === FAILING ? { status: 'failed', error } : { status: 'succeeded', value },
      );
      const list = becomes === 'all succeed' ? results : settled;
      await job.result(WAIT).catch(() => undefined);
      const end = becomes === 'one has failed' ? { state: 'failed', error } : { state: 'succeeded', result: list };
      expect(await job.status()).toMatchObject(end);
      await allHasEnded(app);
      const addedThen = addBulk.mock.calls.flatMap(([flows]) => flows.map(({ opts }) => opts!.jobId));
      await app.close();
      expect(addedThen.map((each) => Number(/\.(\d+)$/.exec(each!)![1]))).toEqual(numbers(MEMBERS).slice(added));
      expect(sorted(crashes.told('item'))).toEqual([...numbers(MEMBERS), STEP]);
      expect(crashes.told('body')).toEqual(becomes === 'one has failed' ? [] : [list]);
      expect(crashes.told('errback')).toHaveLength(becomes === 'one has failed' ? 1 : 0);
    });
  }

  itIf(runsOn(backend, backends, 1), '[V6] [A6] in what adds a group, when that was cancelled before', async () => {
    const members = numbers(MEMBERS).map((n) => item.s({ n }, { into: 'plus' }).set({ delay: '1h' }));
    const fault: Fault = { call: 'FlowProducer.addBulk', of: firstOf(2), when: 'after', atOnce: true };
    const canvas = chain(item.si({ n: STEP }), group(members), body.s());
    const id = await crashes.diesIn(canvas, { fault, cancelledAfter: firstOf(0) });
    const app = await crashes.goOn();
    await expect(app.jobs.job(id).result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError' });
    // Also those that were added after it was cancelled.
    await allHasEnded(app);
    await app.close();
    expect(crashes.told('item')).toEqual([STEP]);
    expect(crashes.told('body')).toEqual([]);
  });
});
