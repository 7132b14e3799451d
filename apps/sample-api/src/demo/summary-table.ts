import Table from 'cli-table3';
import type { ReportSummary } from '../reports/generate-report.payload.js';

const numbers = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 6 });
const counts = new Intl.NumberFormat('en-US');
const LONGEST_GROUP = 40;

export const MOST_ROWS = 20;

export function summaryTable({ groups, groupBy, total }: ReportSummary): string {
  const table = new Table({
    head: [groupBy, 'rows', 'sum', 'mean', 'min', 'median', 'p95', 'max'],
    colAligns: ['left', ...Array.from({ length: 7 }, () => 'right' as const)],
    style: { compact: true, head: process.stdout.isTTY ? ['cyan'] : [], border: process.stdout.isTTY ? ['grey'] : [] },
  });
  for (const row of [...groups.slice(0, MOST_ROWS), { ...total, group: 'all rows' }]) {
    const { count, sum, mean, min, p50, p95, max } = row;
    table.push([
      shortName(row.group),
      counts.format(count),
      ...[sum, mean, min, p50, p95, max].map((n) => numbers.format(n)),
    ]);
  }
  return table.toString();
}

function shortName(group: string): string {
  const name = group === '' ? '(empty)' : group;
  return name.length > LONGEST_GROUP ? `${name.slice(0, LONGEST_GROUP)}…` : name;
}
