import type { GroupStatistics } from '../statistics/group-statistics.js';
import { formatCount, formatNumber } from './number-format.js';
import { COLOR, drawLine, PAGE, type Pdf } from './page.js';

const ROW_HEIGHT = 17;
const NUMBER_WIDTH = 52;
const PADDING = 6;

const NUMBER_COLUMNS: { title: string; text: (row: GroupStatistics) => string }[] = [
  { title: 'Rows', text: (row) => formatCount(row.count) },
  { title: 'Sum', text: (row) => formatNumber(row.sum) },
  { title: 'Mean', text: (row) => formatNumber(row.mean) },
  { title: 'Min', text: (row) => formatNumber(row.min) },
  { title: 'Median', text: (row) => formatNumber(row.p50) },
  { title: 'p95', text: (row) => formatNumber(row.p95) },
  { title: 'Max', text: (row) => formatNumber(row.max) },
];

const GROUP_WIDTH = PAGE.width - NUMBER_COLUMNS.length * NUMBER_WIDTH;

/** Starts a new page when the next row has no room, with the head of the table again. Returns where it ends. */
export function drawStatisticsTable(
  pdf: Pdf,
  groupBy: string,
  rows: GroupStatistics[],
  total: GroupStatistics,
  top: number,
): number {
  let y = drawHead(pdf, groupBy, top);
  const nextRow = (): number => {
    if (y + ROW_HEIGHT > PAGE.bottom) {
      pdf.addPage();
      y = drawHead(pdf, groupBy, PAGE.top);
    }
    y += ROW_HEIGHT;
    return y - ROW_HEIGHT;
  };
  rows.forEach((row, index) => {
    const rowTop = nextRow();
    if (index % 2 === 1) {
      pdf.rect(PAGE.left, rowTop, PAGE.width, ROW_HEIGHT).fill(COLOR.panel);
    }
    drawRow(pdf, row, rowTop, false);
  });
  const totalTop = nextRow();
  pdf.moveTo(PAGE.left, totalTop).lineTo(PAGE.right, totalTop).lineWidth(0.8).strokeColor(COLOR.quiet).stroke();
  drawRow(pdf, total, totalTop, true);
  return y;
}

function drawHead(pdf: Pdf, groupBy: string, top: number): number {
  const style = { size: 8.5, bold: true, color: COLOR.quiet };
  drawLine(pdf, groupBy, PAGE.left + PADDING, top + 4, GROUP_WIDTH - PADDING, style);
  NUMBER_COLUMNS.forEach(({ title }, index) => {
    drawLine(pdf, title, numberX(index), top + 4, NUMBER_WIDTH - PADDING, { ...style, align: 'right' });
  });
  const bottom = top + ROW_HEIGHT;
  pdf.moveTo(PAGE.left, bottom).lineTo(PAGE.right, bottom).lineWidth(0.8).strokeColor(COLOR.quiet).stroke();
  return bottom;
}

function drawRow(pdf: Pdf, row: GroupStatistics, top: number, bold: boolean): void {
  const style = { size: 9, bold, color: bold ? COLOR.ink : COLOR.text };
  drawLine(pdf, row.group, PAGE.left + PADDING, top + 4.5, GROUP_WIDTH - PADDING, style);
  NUMBER_COLUMNS.forEach(({ text }, index) => {
    drawLine(pdf, text(row), numberX(index), top + 4.5, NUMBER_WIDTH - PADDING, { ...style, align: 'right' });
  });
}

function numberX(index: number): number {
  return PAGE.left + GROUP_WIDTH + index * NUMBER_WIDTH;
}
