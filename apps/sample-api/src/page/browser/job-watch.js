import { jobUrl, readJob, Refusal, ServerAway } from './api.js';

/** @typedef {import('./api.js').JobStatus} JobStatus */

/** How the page hears of the job. `polling`: the stream of events failed for good.
 * @typedef {'live' | 'reconnecting' | 'polling' | 'away'} Connection */

/**
 * @typedef {object} JobListener
 * @property {(status: JobStatus) => void} onStatus
 * @property {(line: string) => void} onLine
 * @property {(connection: Connection) => void} onConnection
 * @property {(message: string) => void} onGone there is no such job, or it may not be seen
 */

const LONGEST_WAIT = 10_000;

/** Follows a job to its end: by server-sent events, and where these do not come through by asking again and again. */
export class JobWatch {
  #id;
  #listener;
  #stop = new AbortController();
  /** @type {JobStatus | undefined} */
  #status;

  /**
   * @param {string} id
   * @param {JobListener} listener
   */
  constructor(id, listener) {
    this.#id = id;
    this.#listener = listener;
    this.#listen();
  }

  close() {
    this.#stop.abort();
  }

  #listen() {
    const events = new EventSource(`${jobUrl(this.#id)}/events`);
    const { signal } = this.#stop;
    signal.addEventListener('abort', () => events.close());
    const on = (/** @type {string} */ name, /** @type {(data: unknown) => void} */ tell) =>
      events.addEventListener(name, (event) => tell(JSON.parse(event.data)), { signal });
    events.addEventListener('open', () => this.#listener.onConnection('live'), { signal });
    on('state', (status) => this.#tell(/** @type {JobStatus} */ (status)));
    on('stage', (stage) => this.#change({ stage: /** @type {JobStatus['stage']} */ (stage) }));
    on('progress', (progress) => this.#change({ progress }));
    on('log', (data) => this.#listener.onLine(/** @type {{ line: string }} */ (data).line));
    on('gone', () => this.#gone('There is no such job any more.'));
    events.addEventListener(
      'error',
      () => {
        // The browser tries again by itself, but not after an answer that is no stream of events.
        if (events.readyState === EventSource.CONNECTING) {
          this.#listener.onConnection('reconnecting');
          return;
        }
        events.close();
        void this.#poll();
      },
      { signal },
    );
  }

  async #poll() {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted;) {
      try {
        const { status, wait } = await readJob(this.#id, signal);
        if (signal.aborted) return;
        failures = 0;
        this.#listener.onConnection('polling');
        this.#tell(status);
        await pause(wait, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refusal && error.status < 500) {
          this.#gone(error.message);
          return;
        }
        if (!(error instanceof Refusal || error instanceof ServerAway)) throw error;
        this.#listener.onConnection('away');
        await pause(Math.min(1_000 * 2 ** failures++, LONGEST_WAIT), signal);
      }
    }
  }

  /** @param {Partial<JobStatus>} news */
  #change(news) {
    if (this.#status) this.#tell({ ...this.#status, ...news });
  }

  /** @param {JobStatus} status */
  #tell(status) {
    this.#status = status;
    if (status.terminal) this.close();
    this.#listener.onStatus(status);
  }

  /** @param {string} message */
  #gone(message) {
    this.close();
    this.#listener.onGone(message);
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
