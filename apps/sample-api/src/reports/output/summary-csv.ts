import type { GroupStatistics } from '../statistics/group-statistics.js';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const STATISTICS = ['count', 'sum', 'mean', 'min', 'max', 'p50', 'p95'] as const;

export function* summaryCsv(groupBy: string, groups: Iterable<GroupStatistics>): Generator<string> {
  yield csvLine([groupBy, ...STATISTICS]);
  for (const group of groups) {
    yield csvLine([group.group, ...STATISTICS.map((name) => String(group[name]))]);
  }
}

function csvLine(cells: string[]): string {
  return `${cells.map(csvCell).join(',')}\n`;
}

/** A spreadsheet would run a cell that starts like a formula, and the cell came from somebody else's file. */
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
