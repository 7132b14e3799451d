import { Injectable } from '@nestjs/common';
import {
  CanvasTooLargeError,
  chain,
  chord,
  group,
  InvalidCanvasError,
  NonRetryableError,
  Task,
  task,
  type JobContext,
  type Settled,
  type Signature,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { forEach, later, Source, sync, type Part } from '../support/canvas-sources.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal, type Signal } from '../support/signals.js';
import { isFull, sized } from '../support/test-form.js';
import { add, identity, number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '55s' } as const;
/** Hundreds of members run first. */
const LATE = { timeout: 50_000 } as const;
/** What may be read and not be in the store yet: a first step, and a page. */
const MOST_READ_AHEAD = 700;

@Injectable()
class Members {
  static ran: Signal<string>;
  static bodies: number;

  /** Tells of the canvas that it is in. */
  @Task()
  async member(n: number, job: JobContext): Promise<number> {
    Members.ran.reach(job.rootId);
    return n;
  }

  @Task({ retry: { attempts: 1 } })
  async mayFail(n: number): Promise<number> {
    if (n % 10 === 3) throw new NonRetryableError(`not ${n}`);
    return n;
  }

  @Task()
  async body(list: unknown[]): Promise<number> {
    Members.bodies++;
    return list.length;
  }
}

const member = task(Members, 'member');
const mayFail = task(Members, 'mayFail');
const body = task(Members, 'body');

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sumUpTo = (n: number): number => (n * (n - 1)) / 2;
const plus = (x: number): Signature<number, number> => add.s({ x }, { into: 'y' });

const sources = [
  { kind: 'a sync iterable', of: sync, sizes: isFull ? [0, 7, 400] : [0, 400] },
  { kind: 'an async iterable', of: later, sizes: isFull ? [0, 1, 399, 401] : [0, 1, 401] },
];

describe.each(backends)('groups of iterables on $name', (backend) => {
  // More than a first step and a page after it, and as many as the backend does in some seconds.
  const LARGE = { embedded: sized(600, 530), postgres: sized(1_500, 530), redis: sized(3_000, 530) }[backend.name];
  /** More than a first step. */
  const MIDDLE = sized(550, 410);

  let app: JobsApp;
  const start = async (): Promise<void> => {
    Members.ran = signal();
    Members.bodies = 0;
    app = await startJobsApp({
      backend,
      providers: [Sums, Members],
      options: { queues: { default: { concurrency: 32 } } },
    });
  };
  const result = async <Result>(canvas: Signature<undefined, Result>): Promise<Result> =>
    (await app.jobs.start(canvas)).result(WAIT);
  const stored = async (): Promise<number> => {
    const counts = await app.jobs.queue('default').getJobCounts();
    return Object.values(counts).reduce((all, n) => all + n, 0);
  };

  describe('that are large', () => {
    // Of its own for each test: an embedded database that keeps thousands of jobs gets slow.
    beforeEach(start);
    afterEach(() => app?.close());

    // How members are read is the same on all.
    const kinds = sources.filter((_source, n) => isFull || (n === 0) === (backend.name === 'redis'));
    describe.each(kinds)('$kind', ({ of, sizes }) => {
      it.each(sizes)('[V10] of %i members: a group', async (count) => {
        expect(await result(group(of(count)))).toEqual(upTo(count));
      });

      it('[V10] a large group, in the order of the members', async () => {
        const handle = await app.jobs.start(group(of(LARGE)));
        expect(await handle.result(WAIT)).toEqual(upTo(LARGE));
        expect(await handle.status()).toMatchObject({
          state: 'succeeded',
          ready: true,
          successful: true,
          failed: false,
          counts: { total: LARGE, open: 0, succeeded: LARGE, failed: 0 },
        });
        // Nobody has a list of them.
        expect(handle.children).toEqual([]);
      });

      it('[V10] a large header of a chord', async () => {
        const total = sized(LARGE, MIDDLE) + 1;
        const handle = await app.jobs.start(chord(of(total - 1), xsum.s()));
        expect(await handle.result(WAIT)).toBe(sumUpTo(total - 1));
        expect((await handle.status()).counts).toEqual({ total, open: 0, succeeded: total, failed: 0 });
      });

      it('[V10] at the beginning of a chain, before tasks', async () => {
        expect(await result(chain(group(of(MIDDLE)), xsum.s(), plus(1), plus(2)))).toBe(sumUpTo(MIDDLE) + 3);
      });

      it('[V10] at the beginning of a chain, before a group', async () => {
        expect(await result(chain(chain(group(of(MIDDLE))), group([xsum.s(), body.s()]), identity.s()))).toEqual([
          sumUpTo(MIDDLE),
          MIDDLE,
        ]);
      });

      it('[V10] anywhere else it is read when the canvas is started', async () => {
        const count = sized(510, 210);
        // count * 1 + (0 + ... + (count - 1))
        const behind = chain(number.s(1), group(forEach(of(count), ({ n }) => plus(n))), xsum.s());
        expect(await result(behind)).toBe(count + sumUpTo(count));
        expect(await result(chord([chord(of(3), xsum.s()), chord(of(20), xsum.s())], identity.s()))).toEqual([
          3,
          sumUpTo(20),
        ]);
        expect(await result(group([group(of(2)), number.s(7), chain(group(of(2)))]))).toEqual([0, 1, 7, [0, 1]]);
        expect(await result(group(forEach(of(3), ({ n }) => group([number.s(n), number.s(n)]))))).toEqual([
          0, 0, 1, 1, 2, 2,
        ]);
      });
    });

    it('[V10] of chords', async () => {
      // Three jobs each.
      const count = sized(150, 140);
      const chords = new Source(count, (n) => chord([number.s(n), number.s(1)], xsum.s()));
      expect(await result(group(chords))).toEqual(upTo(count).map((n) => n + 1));
    });

    it('[V10] of groups, which flatten', async () => {
      const count = sized(260, 210);
      const pairs = new Source(count, (n) => group([number.s(n), number.s(-n)]));
      expect(await result(chord(pairs, body.s()))).toBe(count * 2);
      expect(pairs.isClosed).toBe(false);
    });

    it('[V10] what failed is told of in its place with allowPartial', async () => {
      const total = sized(LARGE, MIDDLE);
      const handle = await app.jobs.start(group(new Source(total, (n) => mayFail.s(n)), { allowPartial: true }));
      const settled = upTo(total).map((n) =>
        n % 10 === 3
          ? { status: 'failed', error: expect.objectContaining({ message: `not ${n}` }) }
          : { status: 'succeeded', value: n },
      ) as Settled<number>[];
      expect(await handle.result(WAIT)).toEqual(settled);
      const failed = total / 10;
      expect((await handle.status()).counts).toEqual({ total, open: 0, succeeded: total - failed, failed });
    });

    it('[V10] members run while others are not there yet, and not many are read before they are added', async () => {
      const before = await stored();
      let mostAhead = 0;
      const source = new Source(LARGE, async (n) => {
        if (n % 100 === 0) mostAhead = Math.max(mostAhead, n - ((await stored()) - before));
        if (n === LARGE - 1) await Members.ran.reached;
        return member.s(n);
      });
      expect(await result(chord(source, body.s()))).toBe(LARGE);
      expect(mostAhead).toBeLessThanOrEqual(MOST_READ_AHEAD);
      // It was read to its end, which closes it.
      expect(source).toMatchObject({ read: LARGE, opened: 1, isClosed: false });
    });

    it('[V10] one that throws: start() throws the same, the canvas fails, and its body never runs', async () => {
      const error = new Error('the file ends in the middle');
      const source = new Source(LARGE, async (n) => {
        if (n < MIDDLE) return member.s(n);
        await Members.ran.reached;
        throw error;
      });
      await expect(app.jobs.start(chord(source, body.s()))).rejects.toBe(error);
      const id = await Members.ran.reached;
      const status = await eventually(async () => {
        const now = await app.jobs.job(id).status();
        return now.terminal && now;
      }, LATE);
      expect(status).toMatchObject({
        state: 'failed',
        error: { name: 'AbandonedCanvasError', message: expect.stringContaining(error.message) },
      });
      expect(Members.bodies).toBe(0);
    });

    it.each([
      { what: 'at once', at: 3 },
      { what: 'when others were added', at: MIDDLE },
    ])('[V10] a member that is none, $what: it is closed, and the canvas fails', async ({ at }) => {
      const source = new Source(LARGE, async (n) => {
        if (n >= MIDDLE) await Members.ran.reached;
        return n === at ? (number as unknown as Part) : member.s(n);
      });
      await expect(app.jobs.start(group(source))).rejects.toMatchObject({
        name: 'InvalidCanvasError',
        place: `group[${at}]`,
      });
      expect(source).toMatchObject({ read: at + 1, isClosed: true });
      if (at < MIDDLE) return;
      const id = await Members.ran.reached;
      await eventually(async () => expect((await app.jobs.job(id).status()).state).toBe('failed'), LATE);
    });
  });

  describe('of which little or nothing is stored', () => {
    beforeAll(start);
    afterAll(() => app?.close());

    it('[V10] one that throws before there is much: nothing is stored', async () => {
      const before = await stored();
      const error = new Error('no such file');
      const source = new Source(LARGE, (n) => (n < 10 ? member.s(n) : Promise.reject(error)));
      await expect(app.jobs.start(chord(source, body.s()))).rejects.toBe(error);
      expect(await stored()).toBe(before);
    });

    it('[V10] a member that cannot stand there', async () => {
      const source = new Source(LARGE, (n) => (n === 2 ? (plus(1) as unknown as Part) : number.s(n)));
      await expect(app.jobs.start(group(source))).rejects.toMatchObject({ place: 'the canvas.members[2]' });
      expect(source.isClosed).toBe(true);
    });

    it('[V10] a canvas that is refused for something else: it is closed too, and nothing is stored', async () => {
      const before = await stored();
      const source = new Source(LARGE, (n) => number.s(n));
      const large = identity.si('x'.repeat(200_000));
      const tooLarge = group(upTo(45).map(() => large));
      await expect(app.jobs.start(chain(group(source), tooLarge))).rejects.toThrow(CanvasTooLargeError);
      expect(source.isClosed).toBe(true);
      const unread = new Source(LARGE, (n) => number.s(n));
      const unfit = identity.s('a payload') as unknown as Signature<number[], unknown>;
      await expect(app.jobs.start(chain(group(unread), unfit))).rejects.toThrow(InvalidCanvasError);
      expect(unread.opened).toBe(0);
      expect(await stored()).toBe(before);
    });

    it('[V10] is read anew by each start, where it can be', async () => {
      const twice = group(new Set([number.s(1), number.s(2)]));
      expect([await result(twice), await result(twice)]).toEqual([[1, 2], [1, 2]]); // prettier-ignore
      const once = group(later(3));
      expect(await result(once)).toEqual([0, 1, 2]);
      await expect(app.jobs.start(once)).rejects.toThrow(
        'group must be an iterable that can be read again to be started again',
      );
    });

    it('[V10] cannot be JSON', () => {
      expect(() => group(later(3)).toJSON()).toThrow(InvalidCanvasError);
      expect(() => JSON.stringify(chain(number.s(1), group([chord(new Set([plus(1)]), xsum.s())])))).toThrow(
        'the canvas.steps[1].members[0].steps[0] must be a group of an array to become JSON',
      );
    });
  });
});
