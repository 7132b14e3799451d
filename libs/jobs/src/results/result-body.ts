import { finished, pipeline, Readable, Transform } from 'node:stream';
import { isPlainObject } from '../options/option-reader.js';
import { ResultNotSerializableError, ResultTooLargeError } from '../execution/execution.errors.js';

/** What a task may return beside JSON. @internal */
export function isBody(result: unknown): result is Uint8Array | Readable {
  return typeof result === 'object' && result !== null && (result instanceof Uint8Array || result instanceof Readable);
}

/** Of a result that nobody wants: a stream would hold what it reads from. @internal */
export function discard(result: unknown): void {
  if (result instanceof Readable) result.on('error', () => {}).destroy();
}

/** Of a result that is refused: also of what stands in it, as the results of the items of a `map()` do. @internal */
export function discardIn(result: unknown): void {
  const seen = new Set([result]);
  for (const value of seen) {
    if (value instanceof Readable) discard(value);
    else if (Array.isArray(value) || isPlainObject(value)) {
      // A getter may throw, and what is behind it was not made for us.
      for (const { value: inside } of Object.values(Object.getOwnPropertyDescriptors(value))) seen.add(inside);
    }
  }
}

/** Lets through what is bytes or text, and no more than `limit` bytes. @internal */
export class ResultBody extends Transform {
  /** What kept it from being whole, unless that was whoever reads it. */
  failure: Error | undefined;
  /** Bytes so far. Not `size` or `length`, which the AWS SDK of an app's own store would take for what is to come. */
  counted = 0;

  private constructor(
    private readonly task: string,
    private readonly limit: number,
  ) {
    // What an async generator yields are objects to Node, also when they are Buffers.
    super({ writableObjectMode: true });
  }

  /** A stream that ends as `result` does, and takes it along when it is destroyed. */
  static of(task: string, result: Uint8Array | Readable, limit: number): ResultBody {
    const body = new ResultBody(task, limit);
    // It may end so before anybody reads it.
    body.on('error', () => {});
    if (!(result instanceof Readable)) {
      body.end(result);
      return body;
    }
    // Before the pipeline, which destroys the one with the error of the other.
    finished(result, { writable: false }, (error) => {
      if (error && !body.destroyed) body.failure = error;
    });
    pipeline(result, body, () => {});
    return body;
  }

  /** Ends it before its end. */
  cutOff(reason: Error): void {
    if (!this.destroyed) this.failure = reason;
    this.destroy(reason);
  }

  override _transform(
    chunk: unknown,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      const found = `a stream that gives ${chunk === null ? 'null' : `a value of type ${typeof chunk}`}`;
      return done((this.failure = new ResultNotSerializableError(this.task, { path: '$', found })));
    }
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : asBuffer(chunk);
    this.counted += bytes.length;
    if (this.counted > this.limit) {
      return done((this.failure = new ResultTooLargeError(this.task, this.counted, this.limit, 'results.maxSize')));
    }
    done(null, bytes);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
