import type { Delimiter } from '../csv/csv-header.js';
import type { ImportChunk } from './import.payload.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Finds where rows end, and no more: a byte at a time, with quotes as csv-parse takes them. A quote that is never closed
 * makes one row of what follows, so what comes before it is not lost.
 */
export class ChunkCutter {
  /** Of the file, without the header and without blank lines. */
  rows = 0;
  private readonly chunks: ImportChunk[] = [];
  private readonly delimiter: number;
  private lineEnd: number | undefined;
  /** A carriage return has ended the first line, perhaps with a line feed. */
  private isLineEndOpen = false;
  private at = 0;
  private line = 1;
  private isHeader = true;
  private isBlank = true;
  private isFieldStart = true;
  private isQuoted = false;
  private wasQuoted = false;
  private chunk: ImportChunk = { start: 0, end: 0, line: 1, rows: 0 };

  constructor(
    private readonly rowsPerChunk: number,
    delimiter: Delimiter,
  ) {
    this.delimiter = delimiter.charCodeAt(0);
  }

  get newline(): '\n' | '\r' {
    return this.lineEnd === CARRIAGE_RETURN ? '\r' : '\n';
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.at < BYTE_ORDER_MARK.length && byte === BYTE_ORDER_MARK[this.at]) this.at += 1;
      else this.take(byte);
    }
  }

  finish(): ImportChunk[] {
    if (this.isLineEndOpen) this.decideLineEnd(CARRIAGE_RETURN);
    this.endRow();
    this.endChunk();
    return this.chunks;
  }

  private take(byte: number): void {
    if (this.isLineEndOpen) this.decideLineEnd(byte === LINE_FEED ? LINE_FEED : CARRIAGE_RETURN);
    this.at += 1;
    const isLineEnd = byte === (this.lineEnd ?? LINE_FEED);
    if (isLineEnd) this.line += 1;
    if (this.isQuoted) {
      this.isQuoted = byte !== QUOTE;
      this.wasQuoted = byte === QUOTE;
    } else if (isLineEnd) {
      this.lineEnd ??= LINE_FEED;
      this.endRow();
    } else if (byte === CARRIAGE_RETURN) {
      this.isLineEndOpen = this.lineEnd === undefined;
    } else {
      // A quote that follows a closing one was a quote inside of the value, which goes on.
      this.isQuoted = byte === QUOTE && (this.isFieldStart || this.wasQuoted);
      this.isFieldStart = byte === this.delimiter;
      this.wasQuoted = false;
      this.isBlank = false;
    }
  }

  private decideLineEnd(lineEnd: number): void {
    this.isLineEndOpen = false;
    this.lineEnd = lineEnd;
    if (lineEnd === LINE_FEED) return;
    this.line += 1;
    this.endRow();
  }

  private endRow(): void {
    const isBlank = this.isBlank;
    this.isBlank = true;
    this.isFieldStart = true;
    this.wasQuoted = false;
    if (isBlank) return;
    if (this.isHeader) {
      this.isHeader = false;
      this.beginChunk();
      return;
    }
    this.rows += 1;
    this.chunk.rows += 1;
    if (this.chunk.rows === this.rowsPerChunk) this.endChunk();
  }

  private endChunk(): void {
    if (this.chunk.rows > 0) this.chunks.push({ ...this.chunk, end: this.at });
    this.beginChunk();
  }

  private beginChunk(): void {
    this.chunk = { start: this.at, end: this.at, line: this.line, rows: 0 };
  }
}

/** Neighbours together, all about as many, so that there are no more than `most`. */
export function joinChunks(chunks: readonly ImportChunk[], most: number): ImportChunk[] {
  const together = Math.ceil(chunks.length / most);
  if (together <= 1) return [...chunks];
  return Array.from({ length: Math.ceil(chunks.length / together) }, (_, n) => {
    const joined = chunks.slice(n * together, (n + 1) * together);
    const rows = joined.reduce((sum, chunk) => sum + chunk.rows, 0);
    return { start: joined[0]!.start, end: joined.at(-1)!.end, line: joined[0]!.line, rows };
  });
}
