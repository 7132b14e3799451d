import { finished, pipeline, Transform, type Readable } from 'node:stream';

/**
 * Lets through a body of so many bytes, and fails with one that has others: a part of a result would pass for all of it,
 * and what is too much for an answer over HTTP for the beginning of the next one.
 *
 * @internal
 */
export class WholeBody extends Transform {
  private left: number;

  private constructor(
    private readonly size: number,
    private readonly failed: (error: Error) => Error,
  ) {
    super();
    this.left = size;
  }

  /** A stream that ends as `body` does, or as `failed` says of what goes wrong, and takes it along when it is destroyed. */
  static of(body: Readable, size: number, failed: (error: Error) => Error): Readable {
    const whole = new WholeBody(size, failed);
    finished(body, { writable: false }, (error) => error && whole.destroy(failed(error)));
    pipeline(body, whole, () => {});
    return whole;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.left -= chunk.length;
    if (this.left < 0) done(this.failed(new Error(`it has more than the ${this.size} bytes that were to be read`)));
    else done(null, chunk);
  }

  override _flush(done: (error: Error | null) => void): void {
    const missing = `it ended ${this.left} bytes before the ${this.size} that were to be read`;
    done(this.left > 0 ? this.failed(new Error(missing)) : null);
  }
}
