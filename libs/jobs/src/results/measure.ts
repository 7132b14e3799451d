import { createHash } from 'node:crypto';
import { pipeline, Transform, type Readable } from 'node:stream';
import type { WrittenResult } from './result-store.js';

/** Counts and hashes what goes through. */
class Measure extends Transform {
  private readonly hash = createHash('sha256');
  // Not `size` or `length`, which the AWS SDK would take for what is to come.
  private counted = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.counted += chunk.length;
    this.hash.update(chunk);
    done(null, chunk);
  }

  written(): WrittenResult {
    return { size: this.counted, sha256: this.hash.digest('hex') };
  }
}

/**
 * Measures a body while `keep` reads it. The body may fail at any moment, also before anybody reads: that is an error of
 * the bytes, once they are read. When `keep` rejects, the body is destroyed.
 *
 * @internal
 */
export async function measured(body: Readable, keep: (bytes: Readable) => Promise<void>): Promise<WrittenResult> {
  // Else it would be an empty result.
  if (body.readableEnded) throw new Error('nestjs-jobs: the body of a result was read to its end before it was kept.');
  const bytes = new Measure();
  bytes.on('error', () => undefined);
  pipeline(body, bytes, () => undefined);
  try {
    await keep(bytes);
  } catch (error) {
    bytes.destroy();
    body.destroy();
    throw error;
  }
  return bytes.written();
}
