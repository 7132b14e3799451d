import { constants } from 'node:os';

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/** @typedef {ReturnType<typeof import('./process-group.mjs').runNode>} Running */

/** Passes Ctrl-C and the like on to what runs now, and keeps us alive for the clean-up. The second one kills. */
export class Interruption {
  /** @type {NodeJS.Signals | undefined} */
  #signal;
  /** @type {Set<Running>} */
  #running = new Set();

  constructor() {
    for (const name of SIGNALS) process.on(name, (signal) => this.#interrupt(signal));
  }

  /** The exit code that shells use for a process that ended by the signal. */
  get exitCode() {
    return this.#signal === undefined ? undefined : 128 + constants.signals[this.#signal];
  }

  /** @param {() => Running} start
   * @returns {Promise<{ code: number }>} */
  async whileRunning(start) {
    this.check();
    const running = start();
    this.#running.add(running);
    try {
      const { code, signal } = await running.exited;
      return { code: code ?? (signal === null ? 1 : 128 + constants.signals[signal]) };
    } finally {
      this.#running.delete(running);
      this.check();
    }
  }

  check() {
    if (this.#signal !== undefined) throw new InterruptedError(`interrupted by ${this.#signal}`);
  }

  /** @param {NodeJS.Signals} signal */
  #interrupt(signal) {
    for (const running of this.#running) running.kill(this.#signal === undefined ? signal : 'SIGKILL');
    this.#signal ??= signal;
  }
}

export class InterruptedError extends Error {}
