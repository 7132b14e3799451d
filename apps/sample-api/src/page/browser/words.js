/** @typedef {import('./api.js').JobStatus} JobStatus */

export const REPORT_TASK = 'reports.generate';

/** The stages of a report in their order, by the names that the task gives them. */
export const STAGES = [
  { name: 'VALIDATING', title: 'Check the columns', now: 'The columns are being checked.' },
  { name: 'PROCESSING', title: 'Read the rows', now: 'The rows are being read.' },
  { name: 'RENDERING', title: 'Draw the report', now: 'The report is being drawn.' },
];

const WAITS = new Map([
  ['lock', 'It waits until another report of the same data is ready.'],
  ['limit', 'It waits: there were too many reports in a minute.'],
  ['unknown-task', 'It waits for a worker that can make reports.'],
]);

/** What is to be said of a job.
 * @param {JobStatus} status
 * @returns {string} */
export function sentenceOf(status) {
  if (status.task !== REPORT_TASK) return `This job makes no report. It is ${status.state}.`;
  switch (status.state) {
    case 'pending':
      return WAITS.get(status.waitingFor?.kind ?? '') ?? 'It waits for its turn.';
    case 'scheduled':
      return 'It waits for its time.';
    case 'running':
      return runningSentence(status);
    case 'retrying':
      return `Attempt ${status.attempt} of ${status.maxAttempts} went wrong: ${reasonOf(status)} It will be tried again.`;
    case 'succeeded':
      return status.result === undefined
        ? 'The report was made; its figures are not kept any more.'
        : 'The report is ready.';
    case 'failed':
      return `The report could not be made. ${reasonOf(status)}`;
    case 'cancelled':
      return status.reason === undefined ? 'The report was cancelled.' : `The report was cancelled: ${status.reason}.`;
    default:
      return `The job is ${status.state}.`;
  }
}

/** @param {JobStatus} status */
function runningSentence({ cancelRequested, stage, attempt, maxAttempts }) {
  if (cancelRequested) return 'It is being cancelled.';
  const now = STAGES.find(({ name }) => name === stage?.name)?.now ?? 'It has begun.';
  return attempt > 1 ? `${now} This is attempt ${attempt} of ${maxAttempts}.` : now;
}

/** @param {JobStatus} status */
function reasonOf({ error }) {
  if (!error) return 'No reason was given.';
  const message = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
  return error.code === undefined ? message : `${message} (${error.code})`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const twoDecimals = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const fewDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
const scientific = new Intl.NumberFormat('en', { notation: 'scientific', maximumSignificantDigits: 3 });

/** As the PDF writes them: short enough for a bar, exact enough to compare.
 * @param {number} value
 * @returns {string} */
export function numberText(value) {
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-6)) return scientific.format(value);
  if (size >= 1e7) return compact.format(value);
  if (Number.isInteger(value)) return whole.format(value);
  return (size >= 1000 ? oneDecimal : size >= 1 ? twoDecimals : fewDigits).format(value);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${whole.format(count)} ${count === 1 ? one : many}`;
}
