import { cancelJob, Refusal, ServerAway } from './api.js';
import { elementOf, setText, textElement } from './elements.js';
import { JobWatch } from './job-watch.js';
import { sentenceOf, STAGES } from './words.js';

/** @typedef {import('./api.js').JobStatus} JobStatus */

/** @type {Record<import('./job-watch.js').Connection, string>} */
const CONNECTIONS = {
  live: '',
  reconnecting: 'The connection was lost. Reconnecting …',
  polling: 'Live updates do not come through: the page asks every few seconds instead.',
  away: 'The server cannot be reached. The page goes on asking.',
};

/** Where a job stands. */
export class JobPanel {
  #section = elementOf('job', HTMLElement);
  #heading = elementOf('job-heading', HTMLElement);
  #state = elementOf('job-state', HTMLElement);
  #id = elementOf('job-id', HTMLElement);
  #news = elementOf('job-news', HTMLElement);
  #progress = elementOf('progress', HTMLProgressElement);
  #percent = elementOf('percent', HTMLOutputElement);
  #stages = elementOf('stages', HTMLOListElement);
  #connection = elementOf('connection', HTMLElement);
  #log = elementOf('log', HTMLDetailsElement);
  #lines = elementOf('lines', HTMLOListElement);
  #problem = elementOf('job-problem', HTMLElement);
  #cancel = elementOf('cancel', HTMLButtonElement);
  #again = elementOf('again', HTMLButtonElement);
  #onStatus;
  /** @type {JobWatch | undefined} */
  #watch;
  #watchedId = '';

  /**
   * @param {(status: JobStatus) => void} onStatus
   * @param {() => void} onAgain
   */
  constructor(onStatus, onAgain) {
    this.#onStatus = onStatus;
    this.#cancel.addEventListener('click', () => void this.#cancelWatched());
    this.#again.addEventListener('click', onAgain);
  }

  focus() {
    this.#heading.focus();
  }

  /** @param {string} id */
  watch(id) {
    this.close();
    this.#watchedId = id;
    this.#section.hidden = false;
    this.#id.textContent = id;
    this.#say('');
    setText(this.#news, 'It is being looked up.');
    setText(this.#connection, '');
    this.#lines.replaceChildren();
    this.#log.hidden = true;
    this.#showState('', 'unknown');
    this.#showProgress(0);
    this.#showStages(-1, false);
    this.#showButtons(true);
    this.#watch = new JobWatch(id, {
      onStatus: (status) => this.#show(status),
      onLine: (line) => this.#addLine(line),
      onConnection: (connection) => setText(this.#connection, CONNECTIONS[connection]),
      onGone: (message) => this.#showGone(message),
    });
  }

  close() {
    this.#watch?.close();
    this.#watch = undefined;
    this.#section.hidden = true;
  }

  /** @param {JobStatus} status */
  #show(status) {
    const { state, stage, progress, terminal, cancelRequested } = status;
    const reached = STAGES.findIndex(({ name }) => name === stage?.name);
    const isDone = state === 'succeeded';
    this.#showState(state, state);
    setText(this.#news, sentenceOf(status));
    this.#showProgress(isDone ? 100 : typeof progress === 'number' ? Math.floor(progress) : 0);
    this.#showStages(isDone ? STAGES.length : reached, terminal);
    if (terminal) setText(this.#connection, '');
    this.#cancel.setAttribute('aria-disabled', String(cancelRequested ?? false));
    this.#showButtons(!terminal);
    this.#onStatus(status);
  }

  /** @param {string} message */
  #showGone(message) {
    this.#showState('not found', 'unknown');
    setText(this.#news, `${message} It may have been removed because of its age.`);
    setText(this.#connection, '');
    this.#showButtons(false);
  }

  /**
   * @param {string} text
   * @param {string} state
   */
  #showState(text, state) {
    setText(this.#state, text);
    this.#state.dataset['state'] = state;
    this.#section.dataset['state'] = state;
  }

  /** @param {number} percent */
  #showProgress(percent) {
    this.#progress.value = percent;
    setText(this.#percent, `${percent} %`);
  }

  /**
   * @param {number} reached index of the stage that is being done
   * @param {boolean} hasEnded
   */
  #showStages(reached, hasEnded) {
    if (this.#stages.children.length === 0) {
      this.#stages.append(...STAGES.map(({ title }) => textElement('li', title)));
    }
    for (const [n, item] of [...this.#stages.children].entries()) {
      const where = n < reached ? 'done' : n > reached ? 'to come' : hasEnded ? 'stopped here' : 'now';
      if (item.getAttribute('data-where') === where) continue;
      item.setAttribute('data-where', where);
      item.replaceChildren(STAGES[n]?.title ?? '', textElement('span', `, ${where}`, { class: 'unseen' }));
      if (where === 'now') item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
  }

  /** Who has the focus on a button that goes is led to the one that comes.
   * @param {boolean} isRunning */
  #showButtons(isRunning) {
    const hadFocus = document.activeElement === this.#cancel;
    this.#cancel.hidden = !isRunning;
    this.#again.hidden = isRunning;
    if (hadFocus && !isRunning) this.#again.focus();
  }

  /** @param {string} line */
  #addLine(line) {
    this.#lines.append(textElement('li', line));
    this.#log.hidden = false;
  }

  async #cancelWatched() {
    if (this.#cancel.getAttribute('aria-disabled') === 'true') return;
    this.#cancel.setAttribute('aria-disabled', 'true');
    this.#say('');
    try {
      await cancelJob(this.#watchedId);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof ServerAway)) throw error;
      this.#cancel.setAttribute('aria-disabled', 'false');
      this.#say(`It was not cancelled. ${error.message}`);
    }
  }

  /** @param {string} problem */
  #say(problem) {
    setText(this.#problem, problem);
  }
}
