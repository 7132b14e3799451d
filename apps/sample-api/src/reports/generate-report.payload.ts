import type { GroupStatistics } from './statistics/group-statistics.js';

export const REPORTS_QUEUE = 'reports';

export type ReportSource = { kind: 'dataset'; name: string } | { kind: 'upload'; id: string };

export interface GenerateReport {
  source: ReportSource;
  groupBy: string;
  measure: string;
}

export interface ReportSummary {
  dataset: string;
  groupBy: string;
  measure: string;
  /** Data rows in the file, without the header and without blank lines. */
  rows: number;
  /** Rows left out because their measure was empty. */
  skipped: number;
  groupCount: number;
  total: GroupStatistics;
  /** The groups with the most rows, at most 50; the CSV file has all of them. */
  groups: GroupStatistics[];
  files: { pdf: string; csv: string };
}
