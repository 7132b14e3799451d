import type { Settled } from 'nestjs-jobs';
import type { Delimiter } from '../csv/csv-header.js';

export const IMPORTS_QUEUE = 'imports';

/** An upload that is still there then is removed. */
export const UPLOAD_LIFE = '7d';

/** How the rows of a file are to be read. */
export interface ImportLayout {
  delimiter: Delimiter;
  newline: '\n' | '\r';
  /** How many cells each row must have. */
  cells: number;
  /** Which of the cells, from 0. */
  name: number;
  email: number;
  amount: number;
}

/** The upload stays in its file: jobs are told where to read. */
export interface ImportUpload {
  upload: string;
  layout: ImportLayout;
}

/** Whole rows of the upload. */
export interface ImportChunk {
  /** The first byte, and the one after the last. */
  start: number;
  end: number;
  /** The number of the first line. */
  line: number;
  rows: number;
}

export interface CheckChunk extends ImportUpload {
  chunk: ImportChunk;
}

export interface RejectedRow {
  line: number;
  reason: string;
}

export interface Amounts {
  /** All in cents, which add up exactly. */
  total: number;
  smallest: number;
  largest: number;
}

export interface ChunkReport {
  accepted: number;
  rejected: number;
  /** Null when no row was accepted. */
  amounts: Amounts | null;
  /** The first of the rejected rows. */
  rejectedRows: RejectedRow[];
}

export interface MergeReports {
  chunks: ImportChunk[];
  outcomes: Settled<ChunkReport>[];
}

/** A chunk that could not be read; none of its rows were imported. */
export interface RefusedChunk {
  line: number;
  rows: number;
  code: string;
  message: string;
}

export interface ImportReport {
  /** All rows of the file: those accepted, rejected and refused. */
  rows: number;
  accepted: number;
  rejected: number;
  /** Rows of the chunks that were refused as a whole. */
  refused: number;
  chunks: number;
  amounts: Amounts | null;
  /** The first of them; `rejected` counts all. */
  rejectedRows: RejectedRow[];
  refusedChunks: RefusedChunk[];
  refusedChunksLeftOut: number;
}

/** For the steps that tell of an import. */
export interface TellOfImport {
  /** The id of the import's job. */
  id: string;
  report: ImportReport;
}

export interface ImportSummary extends ImportReport {
  files: { summary: string };
}

export interface ImportNotice {
  import: string;
  text: string;
}

export interface FinishImport {
  upload: string;
  told: [summary: ImportSummary, notice: ImportNotice];
}

export interface ImportResult extends ImportSummary {
  notice: string;
}
