import type { KeyOf } from '../execution/policy-key.js';
import { invalidArgument, requireDuration, requireText } from '../client/invalid-argument.error.js';
import { assertKnown, resolveKey, resolveOnBusy, type OnBusy } from '../locking/lock-options.js';
import type { Duration } from '../options/jobs-options.js';

const LONGEST_NAME = 200;
const DEFAULT_TTL = 24 * 3_600_000;
const LONGEST_TTL = 366 * 24 * 3_600_000;

/** What {@link Idempotent} takes. @publicApi */
export interface IdempotentOptions<Payload> {
  /**
   * What tells one piece of work from others: made of the payload, 1 to 500 characters. Keys are those of one task (of one
   * HTTP handler). Where several customers call, the customer belongs into it.
   */
  key: KeyOf<Payload> | string;
  /**
   * Among whose keys it is: what has the same name shares them, which only makes sense for the same work.
   *
   * @default the task's name; of an HTTP handler `Class.method`
   */
  name?: string;
  /** For how long the result is kept. From a second to 366 days. @default '24h' */
  ttl?: Duration;
  /**
   * What becomes of a job while another one with its key runs. `wait`: it steps out of its slot, and has the other's
   * result when that is there. `skip`: it ends as succeeded, with a reason and without a result. `fail`: the attempt fails
   * with {@link IdempotencyBusyError}, and the retry policy decides.
   *
   * A request waits with its connection open; with `fail`, or when `maxWait` is over, it is answered 409.
   *
   * @default 'wait'
   */
  onBusy?: OnBusy;
  /** For how long the other is waited for; then it is as with `fail`. @default without end; of a request 10 s */
  maxWait?: Duration;
}

/** @internal */
export interface ResolvedIdempotent {
  readonly key: KeyOf<never>;
  readonly name: string | undefined;
  readonly ttl: number;
  readonly onBusy: OnBusy;
  readonly maxWait: number | undefined;
}

/** @throws {InvalidArgumentError} @internal */
export function resolveIdempotent<Payload>(options: IdempotentOptions<Payload>, name: string): ResolvedIdempotent {
  const known: (keyof IdempotentOptions<Payload>)[] = ['key', 'name', 'ttl', 'onBusy', 'maxWait'];
  assertKnown(options, name, known, 'an object like { key: (payload) => payload.orderId }');
  const { key, ttl = DEFAULT_TTL, onBusy, maxWait } = options;
  const keepFor = requireDuration(`the ttl of ${name}`, ttl);
  if (keepFor < 1_000 || keepFor > LONGEST_TTL) {
    throw invalidArgument(`the ttl of ${name}`, 'from a second to 366 days', ttl);
  }
  return {
    key: resolveKey(key, name),
    name: options.name === undefined ? undefined : requireText(`the name of ${name}`, options.name, LONGEST_NAME),
    ttl: keepFor,
    onBusy: resolveOnBusy(onBusy, name),
    maxWait: maxWait === undefined ? undefined : requireDuration(`the maxWait of ${name}`, maxWait),
  };
}
