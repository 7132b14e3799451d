/**
 * @typedef {object} JobError
 * @property {string} message
 * @property {string} [code]
 */

/** What the page uses of a job's status.
 * @typedef {object} JobStatus
 * @property {string} id
 * @property {string} task
 * @property {string} state
 * @property {string} [reason]
 * @property {boolean} [cancelRequested]
 * @property {{ name: string } | null} [stage]
 * @property {unknown} [progress]
 * @property {number} attempt
 * @property {number} maxAttempts
 * @property {unknown} [result]
 * @property {JobError} [error]
 * @property {{ kind: string }} [waitingFor]
 * @property {boolean} terminal
 */

/** A report to be made: of a dataset of the API, or of a file.
 * @typedef {object} ReportOrder
 * @property {string | File} data
 * @property {string} groupBy
 * @property {string} measure
 */

const DEFAULT_WAIT = 1_000;

/** What the API says when it refuses something, in words for the reader of the page. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Nobody answers. */
export class ServerAway extends Error {
  constructor() {
    super('The server cannot be reached.');
  }
}

/**
 * @param {ReportOrder} order
 * @returns {Promise<string>} the id of the job
 */
export async function startReport({ data, groupBy, measure }) {
  const answer =
    typeof data === 'string'
      ? await send('/reports', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ dataset: data, groupBy, measure }),
        })
      : await send(`/reports?${new URLSearchParams({ groupBy, measure }).toString()}`, {
          method: 'POST',
          headers: { 'content-type': 'text/csv' },
          body: data,
        });
  const { id } = /** @type {{ id: string }} */ (await answer.json());
  return id;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<{ status: JobStatus, wait: number }>} `wait`: how long the server wishes not to be asked again, in ms
 */
export async function readJob(id, signal) {
  const answer = await send(jobUrl(id), { signal });
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const status = /** @type {JobStatus} */ (await answer.json());
  return { status, wait: Number.isFinite(seconds) ? seconds * 1_000 : DEFAULT_WAIT };
}

/** @param {string} id */
export async function cancelJob(id) {
  await send(jobUrl(id), { method: 'DELETE' });
}

/** @param {string} id */
export function jobUrl(id) {
  return `/jobs/${encodeURIComponent(id)}`;
}

/**
 * @param {string} url
 * @param {RequestInit} request
 */
async function send(url, request) {
  const answer = await fetch(url, request).catch((error) => {
    throw request.signal?.aborted ? error : new ServerAway();
  });
  if (answer.ok) return answer;
  /** @type {{ message?: string | string[] } | undefined} */
  const body = await answer.json().catch(() => undefined);
  const messages = [body?.message ?? `The server answered ${answer.status} ${answer.statusText}`].flat();
  throw new Refusal(answer.status, messages.join('; '));
}
