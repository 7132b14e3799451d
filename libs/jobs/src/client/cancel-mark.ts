const PREFIX = 'nestjs-jobs:cancelled ';

/** The deferred failure that stands for a cancellation. @internal */
export function cancelMark(reason: string | undefined): string {
  return PREFIX + JSON.stringify(reason ?? null);
}

/** The reason in a mark; undefined when `text` is no mark. @internal */
export function readCancelMark(text: string | undefined): { reason?: string } | undefined {
  if (!text?.startsWith(PREFIX)) return undefined;
  const reason = JSON.parse(text.slice(PREFIX.length)) as string | null;
  return reason === null ? {} : { reason };
}
