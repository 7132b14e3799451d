import PDFDocument from 'pdfkit';
import type { GroupStatistics } from '../statistics/group-statistics.js';
import { drawBarChart } from './bar-chart.js';
import { formatCount, formatNumber } from './number-format.js';
import { COLOR, drawLine, PAGE, type Pdf } from './page.js';
import { drawableText } from './pdf-text.js';
import type { ShownGroups } from './reading-order.js';
import { drawStatisticsTable } from './statistics-table.js';

const ROOM_FOR_A_FEW_ROWS = 110;

export interface ReportContent {
  source: string;
  groupBy: string;
  measure: string;
  rows: number;
  skipped: number;
  groupCount: number;
  total: GroupStatistics;
  shown: ShownGroups;
  generatedAt: Date;
}

/** The caller pipes it somewhere; it is complete when that has finished. */
export function reportPdf(content: ReportContent): Pdf {
  const title = `${content.measure} by ${content.groupBy}`;
  const pdf = new PDFDocument({
    size: 'A4',
    margin: 0,
    bufferPages: true,
    lang: 'en',
    info: { Title: title, Creator: 'nestjs-jobs sample API', CreationDate: content.generatedAt },
  });
  drawTitle(pdf, title, content);
  drawFigures(pdf, content, 118);

  drawHeading(pdf, `Mean ${content.measure} for each ${content.groupBy}`, 198);
  const others = content.shown.others;
  const labelled = content.shown.groups.map((group) => ({
    ...group,
    group: group.group === '' ? '(empty)' : group.group,
  }));
  const bars = labelled.map(({ group, mean }) => ({ label: group, value: mean }));
  const othersName = others === undefined ? '' : `${formatCount(others.groupCount)} others`;
  const chartBars = others ? [...bars, { label: othersName, value: others.statistics.mean, muted: true }] : bars;
  const chartEnd = drawBarChart(pdf, chartBars, `mean ${content.measure}`, 224);

  const rows = others ? [...labelled, { ...others.statistics, group: othersName }] : labelled;
  const tableTop = startSection(pdf, 'Summary', chartEnd + 22);
  const tableEnd = drawStatisticsTable(pdf, content.groupBy, rows, { ...content.total, group: 'All rows' }, tableTop);
  drawNotes(pdf, notesFor(content, labelled), tableEnd + 14);
  drawFooters(pdf, content);
  pdf.end();
  return pdf;
}

function drawTitle(pdf: Pdf, title: string, { source, rows }: ReportContent): void {
  pdf.rect(PAGE.left, PAGE.top, 36, 4).fill(COLOR.bar);
  drawLine(pdf, title, PAGE.left, PAGE.top + 16, PAGE.width, { size: 22, bold: true, color: COLOR.ink });
  const subtitle = `${source}  ·  ${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`;
  drawLine(pdf, subtitle, PAGE.left, PAGE.top + 45, PAGE.width, { size: 10.5, color: COLOR.quiet });
}

function drawFigures(pdf: Pdf, { total, groupCount }: ReportContent, top: number): void {
  const figures = [
    ['Rows counted', formatCount(total.count)],
    ['Groups', formatCount(groupCount)],
    ['Mean', formatNumber(total.mean)],
    ['Median', formatNumber(total.p50)],
    ['Sum', formatNumber(total.sum)],
  ] as const;
  const gap = 10;
  const width = (PAGE.width - gap * (figures.length - 1)) / figures.length;
  figures.forEach(([name, value], index) => {
    const x = PAGE.left + index * (width + gap);
    pdf.roundedRect(x, top, width, 52, 5).fill(COLOR.panel);
    drawLine(pdf, name, x + 10, top + 10, width - 20, { size: 8.5, color: COLOR.quiet });
    drawLine(pdf, value, x + 10, top + 25, width - 20, { size: 15, bold: true, color: COLOR.ink });
  });
}

function startSection(pdf: Pdf, heading: string, y: number): number {
  let top = y;
  if (y + ROOM_FOR_A_FEW_ROWS > PAGE.bottom) {
    pdf.addPage();
    top = PAGE.top;
  }
  drawHeading(pdf, heading, top);
  return top + 20;
}

function drawHeading(pdf: Pdf, text: string, y: number): void {
  drawLine(pdf, text, PAGE.left, y, PAGE.width, { size: 12, bold: true, color: COLOR.ink });
}

function notesFor({ measure, skipped, shown, source, groupBy }: ReportContent, groups: GroupStatistics[]): string[] {
  const notes = ['Median and p95 are exact: linear interpolation between the two closest values.'];
  if (skipped > 0) {
    notes.push(
      `${formatCount(skipped)} ${skipped === 1 ? 'row was' : 'rows were'} left out because ${measure} is empty there.`,
    );
  }
  if (shown.others) {
    notes.push(
      `Shown are the ${shown.groups.length} groups with the most rows (equal ones: the largest mean); "others" are the rest together. summary.csv has every group.`,
    );
  }
  if ([measure, groupBy, source, ...groups.map(({ group }) => group)].some((text) => !drawableText(text).exact)) {
    notes.push('Some names have characters this PDF cannot draw; summary.csv has them unchanged.');
  }
  return notes;
}

function drawNotes(pdf: Pdf, notes: string[], y: number): void {
  let top = y;
  if (y + notes.length * 12 > PAGE.bottom) {
    pdf.addPage();
    top = PAGE.top;
  }
  notes.forEach((note, index) => {
    drawLine(pdf, note, PAGE.left, top + index * 12, PAGE.width, { size: 8, color: COLOR.quiet });
  });
}

function drawFooters(pdf: Pdf, { generatedAt }: ReportContent): void {
  const { start, count } = pdf.bufferedPageRange();
  const made = `Made ${generatedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  for (let page = start; page < start + count; page += 1) {
    pdf.switchToPage(page);
    pdf.moveTo(PAGE.left, 797).lineTo(PAGE.right, 797).lineWidth(0.5).strokeColor(COLOR.line).stroke();
    drawLine(pdf, made, PAGE.left, 804, 250, { size: 8, color: COLOR.quiet });
    const position = `Page ${page - start + 1} of ${count}`;
    drawLine(pdf, position, PAGE.right - 100, 804, 100, { size: 8, color: COLOR.quiet, align: 'right' });
  }
}
