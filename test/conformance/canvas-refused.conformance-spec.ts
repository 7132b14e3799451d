import { chain, chord, group, InvalidCanvasError, Signature, taskContract, type StartOptions } from 'nestjs-jobs';
import { z } from 'zod';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { give, Parts, pass, tell } from '../support/parts.js';
import { add, number, Sums } from '../support/sums.js';

/** As code calls that the types do not hold back. */
type Any = Signature<undefined, unknown>;
const any = (signature: unknown): Any => signature as Any;
const checked = taskContract('refused.checked', { input: z.object({ n: z.number() }), output: z.unknown() });

describe.each(backends)('canvases that are refused on $name', (backend) => {
  let app: JobsApp;
  let parts: Parts;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Parts, Sums], options: { payload: { maxSize: '1kb' } } });
    parts = app.app.get(Parts);
  });
  afterAll(() => app?.close());
  // Not even a job that failed.
  afterEach(async () => {
    for (const queue of ['default', 'jobs-internal']) {
      const counts = await app.jobs.queue(queue).getJobCounts();
      if (Object.values(counts).some((count) => count > 0)) throw new Error(`${queue}: ${JSON.stringify(counts)}`);
    }
    if (parts.all.length > 0) throw new Error(`ran: ${JSON.stringify(parts.all)}`);
  });

  const refusal = async (canvas: () => unknown, options?: StartOptions): Promise<Error> => {
    try {
      await app.jobs.start(any(canvas()), options);
    } catch (error) {
      return error as Error;
    }
    throw new Error('it was started');
  };
  const expectInvalid = async (canvas: () => unknown, message: string, options?: StartOptions): Promise<void> => {
    const error = await refusal(canvas, options);
    expect(error).toBeInstanceOf(InvalidCanvasError);
    expect(error.message).toContain(message);
  };

  it.each([
    [{ unique: { key: 'a' } }, 'the options of set().unique must be absent'],
    [{ debounce: { key: 'a', wait: 5 } }, 'the options of set().debounce must be absent'],
    [{ throttle: { key: 'a', ttl: 5 } }, 'the options of set().throttle must be absent'],
    [{ id: 'mine' }, 'the options of set().id must be absent'],
    [{ runAt: '2030-01-31T09:00:00Z' }, 'the options of set().runAt must be absent'],
    [{ transaction: {} }, 'the options of set().transaction must be absent'],
    [{ prioritty: 5 }, 'the options of set().prioritty must be one of queue, priority'],
    ['fast', 'the options of set() must be an object'],
  ])('[V4] options that a part cannot have: %j', async (options, message) => {
    await expectInvalid(() => number.s(1).set(options as never), message);
    const start = message.replaceAll('set()', 'start()');
    await expectInvalid(() => number.s(1), start, options as never);
  });

  it('[V4] an option that only a part can have', async () => {
    const message = 'the options of start().keepResult must be absent: say it of the last part';
    await expectInvalid(() => number.s(1), message, { keepResult: false } as never);
  });

  it('[V4] what is no signature', async () => {
    for (const wrong of [undefined, null, 'task', { name: 'Sums.add' }, add, [number.s(1)]]) {
      await expectInvalid(() => wrong, 'the canvas must be a signature');
    }
    await expectInvalid(() => chain(number.s(1), 5 as never), 'chain[1] must be a signature');
    await expectInvalid(() => group([number.s(1), add as never]), 'group[1] must be a signature');
    await expectInvalid(() => group('members' as never), 'group must be a list or an iterable of signatures');
    await expectInvalid(() => chord([number.s(1)], undefined as never), "a chord's body must be a signature");
    await expectInvalid(() => chord(number.s(1) as never, pass('never')), "a chord's header must be a group");
    await expectInvalid(() => number.s(1).link('next' as never), 'link() must be a signature');
    await expectInvalid(() => number.s(1).linkError({} as never), 'linkError() must be a signature');
    await expectInvalid(() => number.s(1).stamp(''), 'a stamp must be');
    await expectInvalid(() => Signature.from({ type: 'group' }), 'the canvas');
    await expectInvalid(() => group([1, 2][Symbol.iterator]() as never), 'group[0] must be a signature');
  });

  it('[V4] steps that do not say what becomes of the result before them', async () => {
    await expectInvalid(
      () => chain(number.s(1), add.s({ x: 1, y: 2 }) as never),
      'the canvas.steps[1] must be told what becomes of the result of the step before: task "Sums.add"',
    );
    await expectInvalid(
      () => chain(number.s(1), group([number.s(), add.s({ x: 1, y: 2 })] as never) as never),
      'the canvas.steps[1].members[1] must be told',
    );
    await expectInvalid(() => number.s(1).link(number.s(5) as never), 'the canvas.link[0] must be told');
  });

  it('[V4] parts that take a result where there is none', async () => {
    await expectInvalid(() => add.s({ x: 1 }, { into: 'y' }), 'the canvas must be behind another step');
    await expectInvalid(() => chain(add.s({ x: 1 }, { merge: true }), pass('never')), 'the canvas.steps[0] must be behind another step'); // prettier-ignore
    await expectInvalid(() => group([give('never'), add.s({ x: 1 }, { into: 'y' }) as never]), 'the canvas.members[1] must be behind'); // prettier-ignore
    await expectInvalid(() => number.s({} as never, { into: 'a', merge: true } as never), 'either { into');
    await expectInvalid(() => number.s(1, { into: 'a' } as never), 'an object that the result of the step before');
    await expectInvalid(() => number.s(new Date() as never), 'must be JSON');
  });

  it('[V4] values of options, and queues that nobody declared', async () => {
    const part =
      (options: object): (() => unknown) =>
      () =>
        chain(give('never'), group([pass('never').set(options)]));
    const expectRefused = async (options: object, name: string, message: string): Promise<void> => {
      const error = await refusal(part(options));
      expect([error.name, error.message]).toEqual([name, expect.stringContaining(message)]);
    };
    await expectRefused({ queue: 'nowhere' }, 'InvalidJobsOptionsError', 'nowhere');
    await expectRefused(
      { priority: 12 },
      'InvalidEnqueueOptionsError',
      'the canvas.steps[1].members[0].options.priority',
    );
    await expectRefused({ delay: -1 }, 'InvalidEnqueueOptionsError', 'the canvas.steps[1].members[0].options.delay');
    await expectRefused({ expiresIn: 'soon' }, 'InvalidEnqueueOptionsError', 'members[0].options.expiresIn');
    await expectRefused({ tags: 'acme' }, 'InvalidEnqueueOptionsError', 'members[0].options.tags');
    await expectRefused({ headers: { a: 1 } }, 'InvalidEnqueueOptionsError', 'members[0].options.headers');
    expect(await refusal(() => give('never'), { queue: 'nowhere' })).toMatchObject({ name: 'InvalidJobsOptionsError' });
    expect(await refusal(() => give('never'), { tags: ['\n'] })).toMatchObject({ name: 'InvalidEnqueueOptionsError' });
  });

  it('[V4] payloads that are too large, or that their schema does not take', async () => {
    const long = 'x'.repeat(2_000);
    const large = tell.s({ at: long }, { into: 'value' });
    expect(await refusal(() => chain(give('never'), group([large])))).toMatchObject({
      name: 'PayloadTooLargeError',
      message: expect.stringContaining('the canvas.steps[1].members[0]'),
    });
    const invalid = checked.s({ n: 'one' as never });
    expect(await refusal(() => group([give('never'), invalid]))).toMatchObject({ name: 'PayloadInvalidError' });
    expect(await refusal(() => give('never').link(checked.si({ n: 'one' as never })))).toMatchObject({
      name: 'PayloadInvalidError',
      message: expect.stringContaining('the canvas.link[0]'),
    });
  });

  it('[V4] members of an iterable that are wrong, or that cannot be read', async () => {
    const wrong = function* (): Generator<never> {
      yield give('never') as never;
      yield 7 as never;
    };
    await expectInvalid(() => group(wrong()), 'group[1] must be a signature');
    const broken = async function* (): AsyncGenerator<Signature<unknown, unknown>> {
      yield give('never');
      throw new RangeError('no more');
    };
    expect(await refusal(() => chord(broken(), pass('never')))).toMatchObject({
      name: 'RangeError',
      message: 'no more',
    });
    await expectInvalid(() => chain(), 'a chain must be at least one step long');
  });
});
