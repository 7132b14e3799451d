import { addAmounts } from './check-chunk.js';
import type { ImportReport, MergeReports } from './import.payload.js';

const MOST_REJECTED_LISTED = 100;
const MOST_REFUSED_LISTED = 20;

/** However much is wrong with a file, its report stays short. */
export function mergeReports({ chunks, outcomes }: MergeReports): ImportReport {
  const report: ImportReport = {
    rows: 0,
    accepted: 0,
    rejected: 0,
    refused: 0,
    chunks: chunks.length,
    amounts: null,
    rejectedRows: [],
    refusedChunks: [],
    refusedChunksLeftOut: 0,
  };
  for (const [n, outcome] of outcomes.entries()) {
    const { line, rows } = chunks[n]!;
    if (outcome.status === 'succeeded') {
      const { accepted, rejected, amounts, rejectedRows } = outcome.value;
      report.rows += accepted + rejected;
      report.accepted += accepted;
      report.rejected += rejected;
      report.amounts = addAmounts(report.amounts, amounts);
      report.rejectedRows.push(...rejectedRows.slice(0, MOST_REJECTED_LISTED - report.rejectedRows.length));
    } else {
      const { code, name, message } = outcome.error;
      report.rows += rows;
      report.refused += rows;
      if (report.refusedChunks.length === MOST_REFUSED_LISTED) report.refusedChunksLeftOut += 1;
      else report.refusedChunks.push({ line, rows, code: code ?? name, message });
    }
  }
  return report;
}
