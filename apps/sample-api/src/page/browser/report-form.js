import { Refusal, ServerAway, startReport } from './api.js';
import { previewOf } from './csv-preview.js';
import { elementOf, offer, setText } from './elements.js';
import { OFFERED_DATASETS } from './offered-datasets.js';

const MOST_BYTES = 10 * 1024 * 1024;
const PREVIEW_BYTES = 64 * 1024;

/** The data to make a report of, and which of its columns. */
export class ReportForm {
  #form = elementOf('form', HTMLFormElement);
  #fromDataset = elementOf('from-dataset', HTMLInputElement);
  #fromFile = elementOf('from-file', HTMLInputElement);
  #datasetField = elementOf('dataset-field', HTMLElement);
  #fileField = elementOf('file-field', HTMLElement);
  #dataset = elementOf('dataset', HTMLSelectElement);
  #file = elementOf('file', HTMLInputElement);
  #groupBy = elementOf('group-by', HTMLSelectElement);
  #measure = elementOf('measure', HTMLSelectElement);
  #start = elementOf('start', HTMLButtonElement);
  #problem = elementOf('form-problem', HTMLElement);
  #onStarted;
  /** What is wrong with the chosen file, as far as this page can tell. */
  #fileProblem = '';
  #isSending = false;

  /** @param {(jobId: string) => void} onStarted */
  constructor(onStarted) {
    this.#onStarted = onStarted;
    offer(
      this.#dataset,
      OFFERED_DATASETS.map(({ name, title }) => ({ value: name, text: title })),
    );
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#dataset.addEventListener('change', () => this.#offerDatasetColumns());
    this.#file.addEventListener('change', () => void this.#readFile());
    for (const choice of [this.#fromDataset, this.#fromFile]) choice.addEventListener('change', () => this.#show());
    this.#takeDrops();
    // After a reload browsers restore what was chosen, but not the columns.
    this.#show();
  }

  focus() {
    (this.#fromFile.checked ? this.#fromFile : this.#fromDataset).focus();
  }

  #show() {
    const isFile = this.#fromFile.checked;
    this.#fileField.hidden = !isFile;
    this.#datasetField.hidden = isFile;
    this.#say('');
    if (isFile) void this.#readFile();
    else this.#offerDatasetColumns();
  }

  #offerDatasetColumns() {
    const dataset = OFFERED_DATASETS.find(({ name }) => name === this.#dataset.value);
    this.#offerColumns(dataset?.groupBy ?? [], dataset?.measures ?? []);
  }

  async #readFile() {
    const file = this.#file.files?.[0];
    this.#offerColumns([], []);
    this.#fileProblem = '';
    if (file === undefined) return;
    const start = await startOf(file);
    // Reading takes a moment, in which another one may have been chosen.
    if (file !== this.#file.files?.[0] || !this.#fromFile.checked) return;
    const { columns, numeric } = previewOf(start ?? '', file.size > PREVIEW_BYTES);
    this.#fileProblem = problemOf(file, start, columns);
    this.#say(this.#fileProblem);
    if (this.#fileProblem !== '') return;
    const measure = numeric[0] ?? columns[1] ?? columns[0];
    const groupBy = columns.find((name) => !numeric.includes(name)) ?? columns.find((name) => name !== measure);
    this.#offerColumns(columns, columns, groupBy, measure);
  }

  /**
   * @param {readonly string[]} groupBy
   * @param {readonly string[]} measures
   * @param {string} [chosenGroupBy]
   * @param {string} [chosenMeasure]
   */
  #offerColumns(groupBy, measures, chosenGroupBy, chosenMeasure) {
    const choices = (/** @type {readonly string[]} */ names) => names.map((name) => ({ value: name, text: name }));
    offer(this.#groupBy, choices(groupBy), chosenGroupBy);
    offer(this.#measure, choices(measures), chosenMeasure);
    for (const select of [this.#groupBy, this.#measure]) select.disabled = select.options.length === 0;
  }

  async #send() {
    if (this.#isSending) return;
    const data = this.#fromFile.checked ? this.#file.files?.[0] : this.#dataset.value;
    if (data === undefined || this.#fileProblem !== '') {
      this.#refuse(data === undefined ? 'Choose a CSV file first.' : this.#fileProblem);
      return;
    }
    this.#sending(true);
    try {
      this.#onStarted(await startReport({ data, groupBy: this.#groupBy.value, measure: this.#measure.value }));
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof ServerAway)) throw error;
      const isAway = error instanceof ServerAway;
      this.#say(isAway ? `${error.message} Is it running? Try again when it is.` : error.message);
    } finally {
      this.#sending(false);
    }
  }

  /** @param {string} problem */
  #refuse(problem) {
    this.#say('');
    this.#say(problem);
    this.#file.focus();
  }

  /** A disabled button would lose the focus.
   * @param {boolean} isSending */
  #sending(isSending) {
    this.#isSending = isSending;
    if (isSending) this.#say('');
    this.#start.setAttribute('aria-disabled', String(isSending));
    setText(this.#start, isSending ? 'Sending …' : 'Make the report');
  }

  /** @param {string} problem */
  #say(problem) {
    setText(this.#problem, problem);
  }

  /** Anywhere: a browser leaves the page for a file that is dropped beside the field. */
  #takeDrops() {
    const mark = (/** @type {boolean} */ isOver) => document.body.classList.toggle('dropping', isOver);
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      mark(event.dataTransfer?.types.includes('Files') ?? false);
    });
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) mark(false);
    });
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      mark(false);
      const files = event.dataTransfer?.files;
      if (files === undefined || files.length === 0) return;
      this.#fromFile.checked = true;
      this.#file.files = files;
      this.#show();
      this.#file.focus();
      if (files.length > 1) this.#say(`One file at a time, please: this is of ${files[0]?.name ?? 'the first'}.`);
    });
  }
}

/** Undefined when it cannot be read: it is a folder, or is gone.
 * @param {File} file */
async function startOf(file) {
  try {
    return await file.slice(0, PREVIEW_BYTES).text();
  } catch {
    return undefined;
  }
}

/**
 * @param {File} file
 * @param {string | undefined} start
 * @param {readonly string[]} columns
 */
function problemOf(file, start, columns) {
  if (start === undefined) return `${file.name} cannot be read. Choose a file.`;
  if (file.size > MOST_BYTES) return `${file.name} is larger than 10 MB. Split it, or remove columns it does not need.`;
  if (start.startsWith('PK\u0003\u0004')) {
    return `${file.name} is a spreadsheet or zip file, not CSV. Open it, save it as "CSV UTF-8" and choose that file.`;
  }
  if (columns.length === 0) return `${file.name} is empty. Choose a CSV file with a header line and at least one row.`;
  return '';
}
