import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  map,
  NonRetryableError,
  Task,
  task,
  type CanvasHandle,
  type DeadLetter,
  type Signature,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { fail, give, Parts, pass, quiet, tell } from '../support/parts.js';
import { number, Sums } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

@Injectable()
class Fragile {
  static broken = true;

  @Task({ name: 'fragile.sum' })
  async sum({ factor = 1, numbers }: { factor?: number; numbers: number[] }): Promise<number> {
    if (Fragile.broken) throw new NonRetryableError('broken');
    return numbers.reduce((sum, n) => sum + factor * n, 0);
  }

  @Task({ name: 'fragile.double' })
  async double(n: number): Promise<number> {
    if (Fragile.broken) throw new NonRetryableError('broken');
    return 2 * n;
  }
}

const sum = task(Fragile, 'sum');
const double = task(Fragile, 'double');

describe.each(backends)('dead letters of canvases on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums, Fragile], options: { payload: { maxSize: '4kb' } } });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    Fragile.broken = true;
  });

  const lost = async (canvas: Signature<undefined, unknown>): Promise<CanvasHandle> => {
    const handle = await app.jobs.start(canvas);
    await expect(handle.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError' });
    await quiet(app);
    return handle;
  };
  const letters = async (): Promise<DeadLetter[]> => (await app.jobs.deadLetters.list()).letters;
  afterEach(() => app.jobs.deadLetters.discardAll({}));

  it('[R4] only the part that failed by itself is a dead letter', async () => {
    const inner = chord([give('own a'), double.si(1)], pass('own b'));
    const handle = await lost(chain(give('own c'), group([inner, give('own d')]), pass('own e'), pass('own f')));
    const found = await letters();
    expect(found).toEqual([expect.objectContaining({ task: 'fragile.double', payload: 1 })]);
    expect((await handle.status()).failedJob).toBe(found[0]!.id);
    await expect(app.jobs.deadLetters.get(handle.id)).rejects.toMatchObject({ name: 'DeadLetterNotFoundError' });
    await expect(app.jobs.deadLetters.redrive(handle.id)).rejects.toMatchObject({ name: 'DeadLetterNotFoundError' });
  });

  it('[R4] one whose payload came from other parts is done again with that payload, and apart', async () => {
    const last = sum.s({ factor: 10 }, { into: 'numbers' }).link(pass('apart link')).linkError(pass('apart errback'));
    const handle = await lost(chain(group([number.s(1), number.s(2)]), last, pass('apart next')).stamp('apart'));
    expect(parts.told('apart errback')).toHaveLength(1);
    const [letter] = await letters();
    expect(letter).toMatchObject({ task: 'fragile.sum', payload: { factor: 10, numbers: [1, 2] }, tags: ['apart'] });
    Fragile.broken = false;
    const again = await app.jobs.deadLetters.redrive(letter!.id);
    // 10 * 1 + 10 * 2
    expect(await again.result(WAIT)).toBe(30);
    const status = await again.status();
    expect(status).toMatchObject({ redriveOf: letter!.id, rootId: handle.id, tags: ['apart'] });
    expect(status.parentId).toBeUndefined();
    await quiet(app);
    expect([...parts.told('apart link'), ...parts.told('apart next')]).toEqual([]);
    expect(parts.told('apart errback')).toHaveLength(1);
    expect(await handle.status()).toMatchObject({ state: 'failed' });
  });

  it('[R4] one that fails again is a dead letter of its own, and calls nobody', async () => {
    await lost(chain(number.s(3), double.s().linkError(pass('twice errback'))));
    const [letter] = await letters();
    const again = await app.jobs.deadLetters.redrive(letter!.id);
    await expect(again.result(WAIT)).rejects.toMatchObject({ name: 'JobFailedError', error: { message: 'broken' } });
    await quiet(app);
    expect(parts.told('twice errback')).toHaveLength(1);
    Fragile.broken = false;
    const { refusals } = await app.jobs.deadLetters.redriveAll({ redriven: false });
    expect(refusals).toEqual([]);
    const next = await app.jobs.job(again.id).status();
    expect(await app.jobs.job(next.redrivenAs!).result(WAIT)).toBe(6);
  });

  it('[R6] a handler of failures gets the payload that came from other parts', async () => {
    const step = chain(number.s(5), tell.s({ at: 'told' }, { into: 'value' }), failing('handled'));
    await lost(step);
    const seen = parts.handled.filter(({ error }) => error.message === 'handled failed');
    expect(seen.map(({ payload }) => payload)).toEqual([{ at: 'handled', value: 5 }]);
  });

  it('[R4] a map is done again for each of its items', async () => {
    await lost(map(double, [1, 2, 3]));
    const [letter] = await letters();
    Fragile.broken = false;
    expect(await (await app.jobs.deadLetters.redrive(letter!.id)).result(WAIT)).toEqual([2, 4, 6]);
  });

  it('[R4] a payload that is too large for a job of its own, or that never was one, is refused', async () => {
    const long = 'x'.repeat(2_000);
    const large = group([give(long), give(long), give(long)]);
    await lost(chain(large, failing('too large')));
    const [letter] = await letters();
    const { deadLetters } = app.jobs;
    await expect(deadLetters.redrive(letter!.id)).rejects.toMatchObject({ name: 'PayloadTooLargeError' });
    const value = number.s(1) as Signature<undefined, unknown>;
    await lost(chain(value, sum.s({ factor: 2 }, { merge: true }) as Signature<unknown, number>));
    const [newest] = (await deadLetters.list({ task: 'fragile.sum' })).letters;
    await expect(deadLetters.redrive(newest!.id)).rejects.toMatchObject({ name: 'CanvasPayloadError' });
  });
});

function failing(at: string): Signature<unknown, unknown> {
  return fail.s({ at }, { into: 'value' });
}
