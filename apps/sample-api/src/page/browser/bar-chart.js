const SVG = 'http://www.w3.org/2000/svg';
const ROW = 28;
const BAR = 18;
const GAP = 8;
/** Of the width, for the names. */
const WIDEST_LABEL = 0.36;

/**
 * @typedef {object} Bar
 * @property {string} label
 * @property {number} value
 * @property {string} text the value in words
 */

/** Horizontal bars, because names of groups are words. The description is for those who do not see them.
 * @param {readonly Bar[]} bars
 * @param {number} width in CSS pixels
 * @param {string} title
 * @param {string} description
 * @returns {SVGSVGElement} */
export function barChart(bars, width, title, description) {
  const height = bars.length * ROW;
  const svg = shape('svg', {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'aria-labelledby': 'chart-title chart-description',
  });
  svg.append(
    labelled(shape('title', { id: 'chart-title' }), title),
    labelled(shape('desc', { id: 'chart-description' }), description),
  );
  const measure = textMeasure();
  const labels = bars.map(({ label }) => fitted(label, width * WIDEST_LABEL, measure));
  const labelWidth = Math.max(...labels.map(measure));
  const valueWidth = Math.max(...bars.map(({ text }) => measure(text))) + GAP;
  const lowest = Math.min(0, ...bars.map(({ value }) => value));
  const highest = Math.max(0, ...bars.map(({ value }) => value));
  const left = labelWidth + GAP + (lowest < 0 ? valueWidth : 0);
  const right = Math.max(left + 1, width - (highest > 0 || lowest === 0 ? valueWidth : 0));
  const xOf = (/** @type {number} */ value) => left + ((value - lowest) / (highest - lowest || 1)) * (right - left);

  for (const [n, { label, value, text }] of bars.entries()) {
    const middle = n * ROW + ROW / 2;
    const [from, to] = [xOf(Math.min(0, value)), xOf(Math.max(0, value))];
    const group = shape('g', {});
    group.append(
      labelled(shape('title', {}), `${label}: ${text}`),
      labelled(
        shape('text', { class: 'label', x: labelWidth, y: middle, 'text-anchor': 'end', dy: '0.35em' }),
        labels[n] ?? label,
      ),
      shape('rect', {
        class: 'bar',
        x: from,
        y: middle - BAR / 2,
        width: Math.max(1, to - from),
        height: BAR,
        rx: 2,
      }),
      labelled(
        shape('text', {
          class: 'value',
          x: value < 0 ? from - GAP / 2 : to + GAP / 2,
          y: middle,
          'text-anchor': value < 0 ? 'end' : 'start',
          dy: '0.35em',
        }),
        text,
      ),
    );
    svg.append(group);
  }
  svg.append(shape('line', { class: 'zero', x1: xOf(0), x2: xOf(0), y1: 0, y2: height }));
  return svg;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[Tag]}
 */
function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * @template {SVGElement} T
 * @param {T} element
 * @param {string} text
 */
function labelled(element, text) {
  element.textContent = text;
  return element;
}

/** @returns {(text: string) => number} */
function textMeasure() {
  const context = document.createElement('canvas').getContext('2d');
  if (context === null) return (text) => text.length * 8;
  const { fontFamily } = getComputedStyle(document.body);
  // As page.css has it for values, which are the bolder of the two.
  context.font = `600 13px ${fontFamily}`;
  return (text) => context.measureText(text).width;
}

/**
 * @param {string} text
 * @param {number} width
 * @param {(text: string) => number} measure
 */
function fitted(text, width, measure) {
  if (measure(text) <= width) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && measure(`${characters.join('')}…`) > width) characters.pop();
  return `${characters.join('').trimEnd()}…`;
}
