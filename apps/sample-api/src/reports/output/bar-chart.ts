import { roundTicks } from './chart-scale.js';
import { formatNumber } from './number-format.js';
import { COLOR, drawLine, lineWidth, PAGE, type Pdf } from './page.js';

const LABEL_SIZE = 9;
const VALUE_SPACE = 48;
const WIDEST_LABEL = 150;
const AXIS_HEIGHT = 34;

export interface Bar {
  label: string;
  value: number;
  muted?: boolean;
}

/** Horizontal bars, because group names are words: they stay readable without turning them. Returns where it ends. */
export function drawBarChart(pdf: Pdf, bars: Bar[], axisTitle: string, top: number): number {
  const slot = bars.length <= 8 ? 27 : 16.5;
  const bottom = top + bars.length * slot;
  const values = bars.map(({ value }) => value);
  const ticks = roundTicks(Math.min(...values), Math.max(...values));
  const labelWidth = Math.min(
    WIDEST_LABEL,
    Math.max(...bars.map(({ label }) => lineWidth(pdf, label, LABEL_SIZE))) + 2,
  );
  const left = PAGE.left + labelWidth + 8 + (values.some((value) => value < 0) ? VALUE_SPACE : 0);
  const right = PAGE.right - VALUE_SPACE;
  const lowest = ticks[0] ?? 0;
  const highest = ticks[ticks.length - 1] ?? 1;
  const xOf = (value: number) => left + ((value - lowest) / (highest - lowest)) * (right - left);

  drawGrid(pdf, ticks, xOf, top, bottom);
  bars.forEach((bar, index) => {
    const y = top + index * slot;
    const thickness = slot * 0.68;
    drawLine(pdf, bar.label, PAGE.left, y + slot / 2 - LABEL_SIZE / 2 + 0.5, labelWidth, {
      size: LABEL_SIZE,
      align: 'right',
    });
    drawBar(pdf, bar, { from: xOf(0), to: xOf(bar.value), y: y + (slot - thickness) / 2, thickness });
  });
  pdf.moveTo(xOf(0), top).lineTo(xOf(0), bottom).lineWidth(0.8).strokeColor(COLOR.quiet).stroke();
  drawLine(pdf, axisTitle, left, bottom + 19, right - left, { size: 8.5, color: COLOR.quiet, align: 'center' });
  return bottom + AXIS_HEIGHT;
}

function drawGrid(pdf: Pdf, ticks: number[], xOf: (value: number) => number, top: number, bottom: number): void {
  for (const tick of ticks) {
    pdf
      .moveTo(xOf(tick), top)
      .lineTo(xOf(tick), bottom + 3)
      .lineWidth(0.5)
      .strokeColor(COLOR.line)
      .stroke();
    drawLine(pdf, formatNumber(tick), xOf(tick) - 30, bottom + 6, 60, { size: 8, color: COLOR.quiet, align: 'center' });
  }
}

function drawBar(pdf: Pdf, bar: Bar, at: { from: number; to: number; y: number; thickness: number }): void {
  const start = Math.min(at.from, at.to);
  const width = Math.max(0.5, Math.abs(at.to - at.from));
  pdf.rect(start, at.y, width, at.thickness).fill(bar.muted === true ? COLOR.others : COLOR.bar);
  const backwards = bar.value < 0;
  const labelX = backwards ? start - 4 - VALUE_SPACE : start + width + 4;
  drawLine(pdf, formatNumber(bar.value), labelX, at.y + at.thickness / 2 - 4, VALUE_SPACE, {
    size: LABEL_SIZE,
    bold: true,
    color: COLOR.ink,
    align: backwards ? 'right' : 'left',
  });
}
