import { barChart } from './bar-chart.js';
import { elementOf, offer, textElement } from './elements.js';
import { counted, numberText } from './words.js';

/**
 * @typedef {object} GroupStatistics
 * @property {string} group
 * @property {number} count
 * @property {number} sum
 * @property {number} mean
 * @property {number} min
 * @property {number} max
 * @property {number} p50
 * @property {number} p95
 */

/**
 * @typedef {object} ReportSummary
 * @property {string} dataset
 * @property {string} groupBy
 * @property {string} measure
 * @property {number} rows
 * @property {number} skipped
 * @property {number} groupCount
 * @property {GroupStatistics} total
 * @property {GroupStatistics[]} groups those with the most rows first, not all of them when there are many
 * @property {{ pdf: string, csv: string }} files
 */

/** @typedef {'mean' | 'sum' | 'count' | 'min' | 'p50' | 'p95' | 'max'} Figure */

/** @type {readonly { value: Figure, text: string }[]} */
const FIGURES = [
  { value: 'mean', text: 'Mean' },
  { value: 'sum', text: 'Sum' },
  { value: 'count', text: 'Rows' },
  { value: 'p50', text: 'Median' },
  { value: 'p95', text: '95th percentile' },
  { value: 'min', text: 'Smallest' },
  { value: 'max', text: 'Largest' },
];

/** @type {readonly { name: Figure, title: string }[]} */
const COLUMNS = [
  { name: 'count', title: 'Rows' },
  { name: 'sum', title: 'Sum' },
  { name: 'mean', title: 'Mean' },
  { name: 'min', title: 'Min' },
  { name: 'p50', title: 'Median' },
  { name: 'p95', title: 'P95' },
  { name: 'max', title: 'Max' },
];

const MOST_BARS = 20;

/** A finished report: its files, its bars and its numbers. */
export class ReportView {
  #section = elementOf('report', HTMLElement);
  #heading = elementOf('report-heading', HTMLElement);
  #size = elementOf('report-size', HTMLElement);
  #pdf = elementOf('pdf', HTMLAnchorElement);
  #csv = elementOf('csv', HTMLAnchorElement);
  #figure = elementOf('figure', HTMLSelectElement);
  #chart = elementOf('chart', HTMLElement);
  #note = elementOf('chart-note', HTMLElement);
  #tableHeading = elementOf('table-heading', HTMLElement);
  #head = elementOf('table-head', HTMLTableSectionElement);
  #body = elementOf('table-body', HTMLTableSectionElement);
  /** @type {ReportSummary | undefined} */
  #summary;
  #drawnWidth = 0;

  constructor() {
    offer(this.#figure, FIGURES);
    this.#figure.addEventListener('change', () => this.#draw());
    new ResizeObserver(() => {
      if (this.#chart.clientWidth !== this.#drawnWidth) this.#draw();
    }).observe(this.#chart);
  }

  /** @param {ReportSummary} summary */
  show(summary) {
    const { measure, groupBy, files } = summary;
    this.#summary = summary;
    this.#section.hidden = false;
    this.#heading.textContent = `${measure} by ${groupBy}`;
    this.#size.textContent = sizeOf(summary);
    this.#pdf.href = files.pdf;
    this.#csv.href = files.csv;
    this.#fillTable(summary);
    this.#draw();
  }

  hide() {
    this.#summary = undefined;
    this.#section.hidden = true;
  }

  #draw() {
    const width = this.#chart.clientWidth;
    if (!this.#summary || width === 0) return;
    this.#drawnWidth = width;
    const { groups, groupCount, groupBy, measure } = this.#summary;
    const figure = FIGURES.find(({ value }) => value === this.#figure.value) ?? { value: 'mean', text: 'Mean' };
    const shown = groups.slice(0, MOST_BARS).toSorted((a, b) => b[figure.value] - a[figure.value]);
    const bars = shown.map((group) => ({
      label: nameOf(group.group),
      value: group[figure.value],
      text: numberText(group[figure.value]),
    }));
    const what = figure.value === 'count' ? 'Rows' : `${figure.text} of ${measure}`;
    const [first, last] = [bars[0], bars.at(-1)];
    const description =
      first && last && bars.length > 1
        ? `${bars.length} bars, from ${first.label} with ${first.text} down to ${last.label} with ${last.text}. The table has all numbers.`
        : `${first?.label ?? ''}: ${first?.text ?? ''}`;
    this.#chart.replaceChildren(barChart(bars, width, `${what} by ${groupBy}`, description));
    this.#note.hidden = groupCount <= bars.length;
    this.#note.textContent = `The ${bars.length} groups with the most rows. The CSV file has all ${numberText(groupCount)}.`;
  }

  /** @param {ReportSummary} summary */
  #fillTable({ groups, groupCount, groupBy, measure, total }) {
    const part = groups.length < groupCount ? `: the ${groups.length} groups with the most rows` : '';
    this.#tableHeading.textContent = `${measure} by ${groupBy} in numbers${part}`;
    const head = document.createElement('tr');
    head.append(
      ...[groupBy, ...COLUMNS.map(({ title }) => title)].map((title) => textElement('th', title, { scope: 'col' })),
    );
    this.#head.replaceChildren(head);
    this.#body.replaceChildren(
      ...groups.map((group) => rowOf(nameOf(group.group), group)),
      rowOf('All rows', total, 'total'),
    );
  }
}

/**
 * @param {string} name
 * @param {GroupStatistics} statistics
 * @param {string} [kind]
 */
function rowOf(name, statistics, kind) {
  const row = document.createElement('tr');
  if (kind !== undefined) row.className = kind;
  row.append(
    textElement('th', name, { scope: 'row' }),
    ...COLUMNS.map((column) => textElement('td', numberText(statistics[column.name]))),
  );
  return row;
}

/** @param {string} group */
function nameOf(group) {
  return group === '' ? '(empty)' : group;
}

/** @param {ReportSummary} summary */
function sizeOf({ dataset, rows, skipped, groupCount }) {
  const left = skipped > 0 ? `, ${counted(skipped, 'row', 'rows')} without a value left out` : '';
  return `${counted(rows, 'row', 'rows')} of ${dataset}${left}; ${counted(groupCount, 'group', 'groups')}.`;
}
