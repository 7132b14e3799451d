import { JobPanel } from './job-panel.js';
import { ReportForm } from './report-form.js';
import { ReportView } from './report-view.js';
import { REPORT_TASK } from './words.js';

const TITLE = document.title;

const report = new ReportView();
const panel = new JobPanel(showStatus, startAgain);
const form = new ReportForm((id) => {
  // An entry of the history: going back leads to the job before.
  history.pushState(null, '', `#job=${encodeURIComponent(id)}`);
  watchJobOfAddress();
  panel.focus();
});

window.addEventListener('popstate', watchJobOfAddress);
watchJobOfAddress();

/** The address says which job is watched, so that a reload, a bookmark or another device goes on with it. */
function watchJobOfAddress() {
  const id = new URLSearchParams(location.hash.slice(1)).get('job');
  report.hide();
  document.title = TITLE;
  if (id === null || id === '') panel.close();
  else panel.watch(id);
}

/** @param {import('./api.js').JobStatus} status */
function showStatus({ state, task, result }) {
  document.title = `${state} – ${TITLE}`;
  if (state === 'succeeded' && task === REPORT_TASK && result !== undefined) {
    report.show(/** @type {import('./report-view.js').ReportSummary} */ (result));
  }
}

function startAgain() {
  history.pushState(null, '', location.pathname);
  watchJobOfAddress();
  form.focus();
}
