import {
  Catch,
  Injectable,
  UseFilters,
  UseInterceptors,
  type CallHandler,
  type ExceptionFilter,
  type NestInterceptor,
} from '@nestjs/common';
import { chain, chord, group, JobContext, Task, task, type CanvasHandle, type Signature } from 'nestjs-jobs';
import { catchError, of, type Observable } from 'rxjs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { breaks, failuresAt, give, hold, Parts, pass, quiet, replace, tell } from '../support/parts.js';
import { number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

@Catch()
class Swallows implements ExceptionFilter {
  catch(): string {
    return 'swallowed by a filter';
  }
}

class Hides implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => of('hidden by an interceptor')));
  }
}

@Injectable()
class Odd {
  constructor(private readonly parts: Parts) {}

  /** Heeds no signal. */
  @Task()
  async stubborn(payload: { at: string }, job: JobContext): Promise<unknown> {
    await this.parts.insist(payload, job);
    return job.replaceWith(give(`${payload.at} instead`));
  }

  @Task()
  @UseFilters(Swallows)
  @UseInterceptors(Hides)
  async swallowed(_payload: { n: number }, job: JobContext): Promise<unknown> {
    try {
      return await job.replaceWith(number.s(17));
    } catch {
      return 'caught by the task';
    }
  }

  @Task({ retry: { attempts: 1 } })
  async withNothing(): Promise<unknown> {
    return JobContext.current()!.replaceWith(chain() as Signature<never, unknown> as Signature);
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  async atSecond(_payload: { n: number }, job: JobContext): Promise<unknown> {
    if (job.attempt === 1) throw new Error('first');
    return job.replaceWith(number.s(2));
  }
}

const stubborn = task(Odd, 'stubborn');
const swallowed = task(Odd, 'swallowed');
const withNothing = task(Odd, 'withNothing');
const atSecond = task(Odd, 'atSecond');

describe.each(backends)('job.replaceWith on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums, Odd] });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());

  const start = <Result>(canvas: Signature<undefined, Result>): Promise<CanvasHandle<Result>> => app.jobs.start(canvas);
  const result = async (canvas: Signature<undefined, unknown>): Promise<unknown> => (await start(canvas)).result(WAIT);
  const by = (at: string, canvas: Signature<undefined, unknown>): Signature<unknown, unknown> =>
    replace.si({ at, by: canvas.toJSON() });

  it('[V10] the result is that of a task, a chain, a group or a chord', async () => {
    const numbers = [number.s(1), number.s(2), number.s(3)];
    expect(await result(by('one', number.s(5)))).toBe(5);
    expect(await result(by('one', chain(number.s(6), group([number.s(), number.s()]))))).toEqual([6, 6]);
    expect(await result(by('one', group(numbers)))).toEqual([1, 2, 3]);
    expect(await result(by('one', chord(numbers, xsum.s())))).toBe(6);
    expect(await result(by('one', group([])))).toEqual([]);
    const handle = await app.jobs.enqueue(replace, { at: 'one', by: number.s(8).toJSON() });
    expect(await handle.result(WAIT)).toBe(8);
    expect(parts.told('one')).toHaveLength(6);
  });

  it('[V10] it keeps its place in a group, and the next step of a chain gets its result', async () => {
    const chorded = by('place', chord([number.s(1), number.s(2)], xsum.s()));
    expect(await result(group([number.s(0), chorded, by('place', group([])), number.s(4)]))).toEqual([0, 3, [], 4]);
    expect(await result(chord([by('place', number.s(20)), number.s(3)], pass('place body')))).toEqual([20, 3]);
    expect(await result(chain(number.s(1), by('place', number.s(9)), group([pass('place a'), pass('place b')])))).toEqual([9, 9]); // prettier-ignore
  });

  it('[V10] a replacement may replace itself', async () => {
    const thrice = by('again a', by('again b', by('again c', chain(number.s(11), number.s()))));
    expect(await result(group([thrice, number.s(12)]))).toEqual([11, 12]);
    expect(['a', 'b', 'c'].map((at) => parts.told(`again ${at}`).length)).toEqual([1, 1, 1]);
  });

  it('[V10] the links and errbacks of the job are called for the canvas', async () => {
    const good = by('callbacks', chain(give('callbacks good'), pass('callbacks b')));
    expect(await result(good.link(pass('callbacks link')).linkError(pass('callbacks errback')))).toBe('callbacks good');
    const bad = by('callbacks', chain(number.s(1), breaks('callbacks bad'), pass('callbacks end')));
    const handle = await start(
      chain(bad.link(pass('callbacks link')).linkError(pass('callbacks errback')), give('no')),
    );
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError' });
    await quiet(app);
    expect(parts.values('callbacks link')).toEqual(['callbacks good']);
    const { id } = parts.told('callbacks bad')[0]!;
    expect(failuresAt(parts, 'callbacks errback').map(({ jobId }) => jobId)).toEqual([id]);
    expect([...parts.told('callbacks end'), ...parts.told('no')]).toEqual([]);
  });

  it('[V10] what it is replaced by fails as the job, once, and is not tried again by it', async () => {
    const handle = await start(chain(by('fails', group([give('fails a'), breaks('fails b')])), pass('fails c')));
    const error = { name: 'NonRetryableError', message: 'fails b failed', code: 'E_PART' };
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError', error });
    await quiet(app);
    const [failed] = parts.told('fails b');
    const replaced = handle.parent!;
    expect(await replaced.status()).toMatchObject({ state: 'failed', error, failedJob: failed!.id });
    expect(parts.told('fails')).toHaveLength(1);
    expect(parts.handled.filter(({ rootId }) => rootId === handle.id).map(({ id }) => id)).toEqual([failed!.id]);
    const partial = group([by('fails', breaks('fails d')), number.s(1)], { allowPartial: true });
    expect(await result(partial)).toEqual([
      { status: 'failed', error: { ...error, message: 'fails d failed' } },
      { status: 'succeeded', value: 1 },
    ]);
  });

  it('[V10] the new jobs have the headers, the tags and the root of the job', async () => {
    const canvas = by('inherits', chain(give('inherits a'), group([give('inherits b'), give('inherits c')])));
    const handle = await app.jobs.start(chain(canvas.stamp('own'), give('inherits d')), {
      tags: ['whole'],
      headers: { tenant: 'acme' },
    });
    await handle.result(WAIT);
    const all = ['a', 'b', 'c'].map((at) => parts.told(`inherits ${at}`)[0]!);
    for (const { headers, tags, rootId, parentId } of all) {
      expect({ headers, tags, rootId }).toEqual({ headers: { tenant: 'acme' }, tags: ['whole', 'own'], rootId: handle.id }); // prettier-ignore
      expect(parentId).toBeDefined();
    }
    expect(parts.told('inherits d')[0]!.tags).toEqual(['whole']);
  });

  it('[V10] nobody swallows it, and it spends no attempt', async () => {
    expect(await result(swallowed.s({ n: 1 }) as Signature<undefined, unknown>)).toBe(17);
    const handle = await start(atSecond.s({ n: 1 }) as Signature<undefined, unknown>);
    expect(await handle.result(WAIT)).toBe(2);
    expect(await handle.status()).toMatchObject({ attempt: 2, maxAttempts: 2 });
    const first = await start(by('spends', number.s(3)));
    await first.result(WAIT);
    expect(await first.status()).toMatchObject({ state: 'succeeded', attempt: 1, maxAttempts: 2, result: 3 });
  });

  it('[V10] an empty chain is a clear error', async () => {
    const handle = await start(withNothing.s() as Signature<undefined, unknown>);
    await expect(handle.result(WAIT)).rejects.toMatchObject({
      error: { name: 'InvalidCanvasError', message: expect.stringContaining('a chain must be at least one step long') },
    });
  });

  it('[V10] one that waits for its canvas is blocked, and cancelled with it', async () => {
    const gate = parts.gate('cancelled');
    const handle = await start(chain(by('waits', holding('cancelled')), pass('cancelled next')));
    await gate.entered.reached;
    await eventually(async () => (await handle.parent!.status()).state === 'blocked');
    expect(await handle.cancel({ reason: 'enough' })).toBe(true);
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'enough' });
    await quiet(app);
    expect(await handle.parent!.status()).toMatchObject({ state: 'cancelled', reason: 'enough' });
    expect(parts.told('cancelled next')).toEqual([]);
  });

  it('[V10] one that was asked to stop is not replaced', async () => {
    const gate = parts.gate('stopped');
    const handle = await start(stubborn.s({ at: 'stopped' }) as Signature<undefined, unknown>);
    await gate.entered.reached;
    await handle.cancel({ reason: 'too late' });
    await eventually(async () => (await handle.status()).cancelRequested === true);
    gate.open.reach();
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'too late' });
    await quiet(app);
    expect(parts.told('stopped instead')).toEqual([]);
  });

  it('[V10] a result that is not kept is that of the canvas neither', async () => {
    const handle = await start(by('not kept', tell.si({ at: 'kept', value: 1 })).set({ keepResult: false }));
    expect(await handle.result(WAIT)).toBeNull();
  });
});

function holding(at: string): Signature<unknown, unknown> {
  return hold.si({ at });
}
