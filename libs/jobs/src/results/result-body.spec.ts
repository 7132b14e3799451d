import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { discardIn, ResultBody } from './result-body.js';

const never = (): Readable => new Readable({ read: () => {} });

describe('the body of a result', () => {
  it('[A5] counts its bytes, and shows a store nothing that looks like their number before they are there', async () => {
    const body = ResultBody.of('a task', Readable.from(['ä', Buffer.from('b')]), 10);
    expect(body).not.toHaveProperty('size');
    expect(body).not.toHaveProperty('length');
    expect((await buffer(body)).toString()).toBe('äb');
    expect(body.counted).toBe(3);
    expect(body.failure).toBeUndefined();
  });

  it('[A5] knows whether it was its source that failed, or whoever reads it', async () => {
    const source = never();
    const failing = ResultBody.of('a task', source, 10);
    source.destroy(new Error('no rows'));
    await expect(buffer(failing)).rejects.toThrow('no rows');
    expect(failing.failure).toMatchObject({ message: 'no rows' });
    const gone = ResultBody.of('a task', never().destroy(), 10);
    await expect(buffer(gone)).rejects.toThrow(/premature close/i);
    expect(gone.failure).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    const left = never();
    const read = ResultBody.of('a task', left, 10);
    read.destroy(new Error('the disk is full'));
    await expect(buffer(read)).rejects.toThrow('the disk is full');
    expect(left.destroyed).toBe(true);
    expect(read.failure).toBeUndefined();
    const large = ResultBody.of('a task', Buffer.alloc(11), 10);
    await expect(buffer(large)).rejects.toThrow(/results.maxSize/);
    expect(large.failure).toMatchObject({ name: 'ResultTooLargeError' });
  });

  it('[A5] [X2] is let go wherever it stands in what is refused', () => {
    const streams = [never(), never(), never()];
    const cyclic: Record<string, unknown> = { first: streams[0], list: [[streams[1]], 1, null] };
    cyclic['self'] = cyclic;
    Object.defineProperty(cyclic, 'throws', {
      enumerable: true,
      get: () => {
        throw new Error('read');
      },
    });
    discardIn(cyclic);
    discardIn(streams[2]);
    discardIn(undefined);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  });
});
