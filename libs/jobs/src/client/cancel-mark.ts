/** How every mark begins. @internal */
export const CANCEL_MARK = 'nestjs-jobs:cancelled ';

/** The deferred failure that stands for a cancellation. @internal */
export function cancelMark(reason: string | undefined): string {
  return CANCEL_MARK + JSON.stringify(reason ?? null);
}

/** The reason in a mark; undefined when `text` is no mark. @internal */
export function readCancelMark(text: string | undefined): { reason?: string } | undefined {
  if (!text?.startsWith(CANCEL_MARK)) return undefined;
  const reason = JSON.parse(text.slice(CANCEL_MARK.length)) as string | null;
  return reason === null ? {} : { reason };
}
