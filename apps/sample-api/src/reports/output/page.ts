import { drawableText } from './pdf-text.js';

export type Pdf = PDFKit.PDFDocument;

export const PAGE = { left: 48, right: 547, top: 48, bottom: 780, width: 499 } as const;

export const COLOR = {
  ink: '#0f172a',
  text: '#334155',
  quiet: '#64748b',
  line: '#e2e8f0',
  panel: '#f1f5f9',
  bar: '#2563eb',
  others: '#94a3b8',
} as const;

export interface TextStyle {
  size?: number;
  bold?: boolean;
  color?: string;
  align?: 'left' | 'right' | 'center';
}

/** One line of text in a box that starts at x and is `width` wide; what does not fit ends in an ellipsis. */
export function drawLine(pdf: Pdf, text: string, x: number, y: number, width: number, style: TextStyle = {}): void {
  const { size = 9, bold = false, color = COLOR.text, align = 'left' } = style;
  pdf
    .font(bold ? 'Helvetica-Bold' : 'Helvetica')
    .fontSize(size)
    .fillColor(color);
  const fitted = fitText(pdf, drawableText(text).text, width);
  const free = width - pdf.widthOfString(fitted);
  const indent = align === 'right' ? free : align === 'center' ? free / 2 : 0;
  pdf.text(fitted, x + indent, y, { lineBreak: false });
}

export function lineWidth(pdf: Pdf, text: string, size: number): number {
  return pdf.font('Helvetica').fontSize(size).widthOfString(drawableText(text).text.slice(0, 200));
}

function fitText(pdf: Pdf, text: string, width: number): string {
  if (pdf.widthOfString(text.slice(0, 500)) <= width && text.length <= 500) {
    return text;
  }
  let fits = 0;
  let tooLong = Math.min(text.length, 500);
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (pdf.widthOfString(`${text.slice(0, middle)}…`) <= width) {
      fits = middle;
    } else {
      tooLong = middle;
    }
  }
  return `${text.slice(0, fits).trimEnd()}…`;
}
