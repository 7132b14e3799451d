const CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const NAMES = new Set(['MaxRetriesPerRequestError', 'AbortError', 'ConnectionClosedError', 'ClusterAllFailedError']);
/** The last two: Redis answers, and lets nobody in. */
const MESSAGES = /connection is closed|stream isn't writeable|command timed out|ECONN|ETIMEDOUT|^WRONGPASS|^NOAUTH/i;

/** Whether this error of ioredis says that Redis could not be reached, and not that it refused a command. @internal */
export function isRedisConnectionError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  return CODES.has(code ?? '') || NAMES.has(name ?? '') || MESSAGES.test(message ?? '');
}
