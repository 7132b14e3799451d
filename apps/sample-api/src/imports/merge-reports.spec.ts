import type { ChunkReport, ImportChunk, MergeReports } from './import.payload.js';
import { mergeReports } from './merge-reports.js';

type Outcome = MergeReports['outcomes'][number];

const done = (report: Partial<ChunkReport>): Outcome => ({
  status: 'succeeded',
  value: { accepted: 0, rejected: 0, amounts: null, rejectedRows: [], ...report },
});
const refused = (code?: string): Outcome => ({
  status: 'failed',
  error: { name: 'NonRetryableError', message: 'no text', ...(code !== undefined && { code }) },
});

function merge(...outcomes: Outcome[]) {
  const chunks = outcomes.map((_, n): ImportChunk => ({ start: n, end: n + 1, line: n * 100 + 2, rows: 100 }));
  return mergeReports({ chunks, outcomes });
}

describe('mergeReports', () => {
  it('adds up what the chunks have', () => {
    const report = merge(
      done({ accepted: 99, rejected: 1, amounts: { total: 10, smallest: -5, largest: 9 } }),
      done({ rejected: 100 }),
      done({ accepted: 20, amounts: { total: 3, smallest: 1, largest: 12 } }),
    );
    expect(report).toEqual({
      rows: 220,
      accepted: 119,
      rejected: 101,
      refused: 0,
      chunks: 3,
      amounts: { total: 13, smallest: -5, largest: 12 },
      rejectedRows: [],
      refusedChunks: [],
      refusedChunksLeftOut: 0,
    });
  });

  it('[V8] tells of chunks that failed, in their places, and keeps the others', () => {
    const report = merge(refused('ENCODING_INVALID'), done({ accepted: 100 }), refused());
    expect(report).toMatchObject({ rows: 300, accepted: 100, refused: 200 });
    expect(report.refusedChunks).toEqual([
      { line: 2, rows: 100, code: 'ENCODING_INVALID', message: 'no text' },
      { line: 202, rows: 100, code: 'NonRetryableError', message: 'no text' },
    ]);
  });

  it('stays short, however much is wrong', () => {
    const rejectedRows = Array.from({ length: 20 }, (_, n) => ({ line: n, reason: 'x' }));
    const bad = Array.from({ length: 10 }, () => done({ rejected: 100, rejectedRows }));
    const worse = Array.from({ length: 25 }, () => refused('CSV_INVALID'));
    const report = merge(...bad, ...worse);
    expect(report).toMatchObject({ rejected: 1_000, refused: 2_500, refusedChunksLeftOut: 5 });
    expect(report.rejectedRows).toHaveLength(100);
    expect(report.refusedChunks).toHaveLength(20);
    expect(report.refusedChunks.at(-1)).toMatchObject({ line: 2_902 });
  });
});
