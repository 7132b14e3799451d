import { createHash } from 'node:crypto';
import stringify from 'safe-stable-stringify';

/** The same for the same JSON, in whatever order its keys stand: jsonb keeps none. @internal */
export function fingerprintOf(payload: unknown): string {
  return createHash('sha256')
    .update(stringify(payload) ?? '')
    .digest('base64url');
}
