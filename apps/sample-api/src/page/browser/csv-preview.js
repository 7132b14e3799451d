const DELIMITERS = [',', ';', '\t'];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** Rows that decide whether a column looks like numbers. */
const ROWS_LOOKED_AT = 100;

/**
 * @typedef {object} CsvPreview
 * @property {string[]} columns the names in the header, each once
 * @property {string[]} numeric those whose first values are numbers
 */

/** What the start of a CSV file tells of its columns. The API reads the file properly; this only fills two lists.
 * @param {string} start
 * @param {boolean} isCut whether there is more of the file
 * @returns {CsvPreview} */
export function previewOf(start, isCut = false) {
  const tables = DELIMITERS.map((delimiter) => recordsOf(start, delimiter, isCut));
  const [header = [], ...rows] = tables.reduce((best, next) =>
    (next[0] ?? []).length > (best[0] ?? []).length ? next : best,
  );
  const names = header.map((name) => name.trim());
  const columns = [...new Set(names.filter((name) => name !== ''))];
  const looksNumeric = (/** @type {string} */ name) => {
    const index = names.indexOf(name);
    const values = rows.map((row) => (row[index] ?? '').trim()).filter((value) => value !== '');
    return values.length > 0 && values.every((value) => NUMBER.test(value));
  };
  return { columns, numeric: columns.filter(looksNumeric) };
}

/**
 * @param {string} text
 * @param {string} delimiter
 * @param {boolean} isCut
 */
function recordsOf(text, delimiter, isCut) {
  /** @type {string[][]} */
  const records = [];
  /** @type {string[]} */
  let record = [];
  let cell = '';
  let isQuoted = false;
  const endRecord = () => {
    record.push(cell);
    if (record.length > 1 || cell.trim() !== '') records.push(record);
    record = [];
    cell = '';
  };
  for (let at = 0; at < text.length && records.length <= ROWS_LOOKED_AT; at++) {
    const character = text[at] ?? '';
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') cell += text[++at];
      else isQuoted = false;
    } else if (character === '"' && cell.trim() === '') {
      cell = '';
      isQuoted = true;
    } else if (character === delimiter) {
      record.push(cell);
      cell = '';
    } else if (character === '\n' || character === '\r') {
      endRecord();
    } else {
      cell += character;
    }
  }
  // The last line of a part of a file is half a line.
  if (!isCut || records.length === 0) endRecord();
  return records;
}
