/** How every mark begins. @internal */
export const CANCEL_MARK = 'nestjs-jobs:cancelled';

/** Of a job that was not active when it was marked: it will not run any more. */
const FINAL = `${CANCEL_MARK} `;
/** Of one that was: it is asked to stop, and may still end well. */
const ASKED = `${CANCEL_MARK}-running `;

/** @internal */
export interface Cancellation {
  readonly reason?: string;
}

/** The failure that stands for a cancellation, deferred or final. @internal */
export function cancelMark(reason: string | undefined): string {
  return FINAL + JSON.stringify(reason ?? null);
}

/** The deferred failure of a job that runs: it ends any further attempt before it begins. @internal */
export function cancelRequestMark(reason: string | undefined): string {
  return ASKED + JSON.stringify(reason ?? null);
}

/** What stands in a mark of {@link cancelMark}; undefined when `text` is none. @internal */
export function readCancelMark(text: string | undefined): Cancellation | undefined {
  return readAfter(FINAL, text);
}

/** What stands in a mark of {@link cancelRequestMark}; undefined when `text` is none. @internal */
export function readCancelRequest(text: string | undefined): Cancellation | undefined {
  return readAfter(ASKED, text);
}

function readAfter(prefix: string, text: string | undefined): Cancellation | undefined {
  if (!text?.startsWith(prefix)) return undefined;
  const reason = JSON.parse(text.slice(prefix.length)) as string | null;
  return reason === null ? {} : { reason };
}
