import { AsyncLocalStorage } from 'node:async_hooks';
import { getMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { BackgroundWorkRefusedError } from './background-work.error.js';
import { BackgroundWork } from './background-work.js';
import { currentJob, runAsJob } from './current-job.js';

describe('background work', () => {
  let background: BackgroundWork;
  let error: jest.SpiedFunction<Logger['error']>;
  let warn: jest.SpiedFunction<Logger['warn']>;

  beforeEach(() => {
    background = new BackgroundWork();
    error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    error.mockRestore();
    warn.mockRestore();
  });

  it('may be as much as you like that listens to the one signal, and Node warns of no leak', async () => {
    const [signal] = await new Promise<AbortSignal[]>((resolve) => background.start((each) => resolve([each])));
    expect(getMaxListeners(signal!)).toBe(Number.POSITIVE_INFINITY);
  });

  it('[C10] begins after the caller has gone on, and is waited for with what it starts itself', async () => {
    const order: string[] = [];
    background.start(async () => {
      order.push('first');
      await nextTurn();
      background.start(async () => {
        await nextTurn();
        order.push('second');
      });
    });
    order.push('caller');
    await background.finish();
    expect(order).toEqual(['caller', 'first', 'second']);
    expect(background.size).toBe(0);
  });

  it.each([
    ['a rejection', async () => Promise.reject(new TypeError('no luck'))],
    [
      'a throw',
      (): never => {
        throw new TypeError('no luck');
      },
    ],
  ])('[C10] logs %s with its stack, and goes on', async (_what, work) => {
    background.start(work);
    await background.finish();
    expect(error.mock.calls).toEqual([['Background work failed. TypeError: no luck', expect.stringContaining('at ')]]);
  });

  it('[C10] logs whatever is thrown, also what is no error', async () => {
    background.start(() => Promise.reject('a string'));
    await background.finish();
    expect(error.mock.calls).toEqual([['Background work failed. Error: a string', undefined]]);
  });

  it('[C10] is refused from the moment when the shutdown waits no longer', async () => {
    const begun: string[] = [];
    await background.finish();
    expect(() => background.start(() => begun.push('late'))).toThrow(BackgroundWorkRefusedError);
    expect(() => background.start(() => begun.push('late'))).toThrow(
      /waits for none any more\. Start it earlier, or enqueue/,
    );
    await nextTurn();
    expect(begun).toEqual([]);
  });

  it('[C10] is told when the shutdown does not wait any longer, and what it throws then is no failure', async () => {
    const signals: AbortSignal[] = [];
    background.start(async (signal) => {
      signals.push(signal);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    await nextTurn();
    expect(signals[0]?.aborted).toBe(false);
    background.abort();
    await background.finish();
    expect(error).not.toHaveBeenCalled();
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^Background work was cut short: .* shuts down/)]]);
  });

  it('[C10] belongs to no job, and keeps the rest of the context of its caller', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const job = { id: 'default_1', rootId: 'default_1', headers: {} };
    request.run('request 7', () =>
      runAsJob(job, () => background.start(() => seen.push(currentJob(), request.getStore()))),
    );
    await background.finish();
    expect(seen).toEqual([undefined, 'request 7']);
  });

  it('[C3] is refused to code that runs on after its attempt was ended', async () => {
    const begun: string[] = [];
    const ended = new Error('ended');
    let isCutOff = true;
    const job = {
      id: 'default_1',
      rootId: 'default_1',
      headers: {},
      claimInDoubt: () => Promise.resolve().then(() => void (isCutOff = true)),
      assertNotCutOff: (method: string) => {
        expect(method).toBe('background');
        if (isCutOff) throw ended;
      },
    };
    runAsJob(job, () => expect(() => background.start(() => begun.push('late'))).toThrow(ended));
    expect(background.size).toBe(0);
    isCutOff = false;
    // Whose the job is has to be asked first, and that takes longer than the call may.
    runAsJob(job, () => background.start(() => begun.push('lost')));
    await background.finish();
    expect(begun).toEqual([]);
    expect(error.mock.calls).toEqual([['Background work failed. Error: ended', expect.any(String)]]);
  });
});
