import { isUtf8 } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { InputProblem } from './input-problem.js';

const LINE_FEED = 0x0a;
const NUL = 0x00;

/** Passes bytes on as they are, and stops at the first that is not UTF-8, naming its line. */
export class Utf8Check extends Transform {
  private unfinished: Buffer = Buffer.alloc(0);

  /** @param line - that of the first byte. */
  constructor(private line = 1) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.unfinished.length === 0 ? chunk : Buffer.concat([this.unfinished, chunk]);
    const whole = bytes.subarray(0, bytes.length - unfinishedCharacterLength(bytes));
    if (!isUtf8(whole)) {
      done(this.problemIn(whole));
      return;
    }
    if (whole.includes(NUL)) {
      done(this.nulIn(whole));
      return;
    }
    this.line += countLineFeeds(whole);
    this.unfinished = bytes.subarray(whole.length);
    done(null, whole);
  }

  override _flush(done: TransformCallback): void {
    done(this.unfinished.length === 0 ? null : this.problemIn(this.unfinished));
  }

  private nulIn(bytes: Buffer): InputProblem {
    const line = this.line + countLineFeeds(bytes.subarray(0, bytes.indexOf(NUL)));
    return new InputProblem(
      'CSV_INVALID',
      `Line ${line} has a NUL character, which no CSV file should have. Export the file again as CSV and send that file.`,
    );
  }

  private problemIn(bytes: Buffer): InputProblem {
    let line = this.line;
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      if (!isUtf8(bytes.subarray(start, end))) {
        break;
      }
      line += 1;
      start = end + 1;
    }
    return new InputProblem(
      'ENCODING_INVALID',
      `The file is not UTF-8 text: line ${line} has bytes that UTF-8 does not allow. Save it again as "CSV UTF-8" and send that file.`,
    );
  }
}

function countLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) {
    count += 1;
  }
  return count;
}

/** How many bytes at the end begin a character that the next chunk will finish. */
function unfinishedCharacterLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) {
      return 0;
    }
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
  }
  return 0;
}
