import { invalidCanvas } from './invalid-canvas.js';
import { jsonCopy } from './json-copy.js';
import type { EnqueueEntryOptions } from '../client/enqueue-options.js';
import type { Duration } from '../options/jobs-options.js';
import { isPlainObject } from '../options/jobs-options.error.js';

/**
 * Options of a part of a canvas, see {@link Signature.set}. On a chain or a group they are those of each part that does
 * not set its own. Links and errbacks have its `headers` and `tags`, and none of the others. Retries and time limits are
 * those of the task.
 *
 * @publicApi
 */
export interface SignatureOptions {
  /** A declared queue. @default that of the task, of its route, or the `defaultQueue` */
  queue?: string;
  /** From 0 to 9, 9 first. @default that of the task, of its route, or 5 */
  priority?: number;
  /**
   * How long to wait: from the start of the canvas, or from when what the part waits for is done; milliseconds, or text as
   * `'10m'`. Of a chain it is that of its first step, of a group that of each member. @default 0
   */
  delay?: Duration;
  /**
   * How long after the start of the canvas, and after `delay`, the part may still begin, whatever it waits for; milliseconds,
   * or text as `'1h'`. Then it ends `cancelled` with the reason `expired`, and so does what waits for it. In a link or an
   * errback it counts from when that is started. False: without end. @default that of the task
   */
  expiresIn?: Duration | false;
  /** Text for the task, beside that of the canvas; at most 8 kB as JSON. @default that of the canvas */
  headers?: Readonly<Record<string, string>>;
  /** Labels, beside the stamps of the canvas: at most 16 together, each of 1 to 64 characters. @default none */
  tags?: readonly string[];
  /** False: the result of the last part is not stored. Those that others get are. @default that of the task, or true */
  keepResult?: boolean;
}

const KEYS: readonly (keyof SignatureOptions)[] = [
  'queue',
  'priority',
  'delay',
  'expiresIn',
  'headers',
  'tags',
  'keepResult',
];
const REASONS: Readonly<Partial<Record<keyof EnqueueEntryOptions, string>>> = {
  unique: 'a part of a canvas is always a job of its own: make the start of the canvas unique',
  debounce: 'a part of a canvas is always a job of its own: debounce the start of the canvas',
  throttle: 'a part of a canvas is always a job of its own: throttle the start of the canvas',
  id: 'the parts of a canvas have ids of their own',
  runAt: 'a part waits with "delay"; a whole canvas is started by a job that has "runAt"',
  transaction: 'a canvas is added in one step of its own',
  keepResult: 'say it of the last part, by its set()',
};
/** Of the start of a canvas. @internal */
export const START_KEYS = KEYS.filter((key) => key !== 'keepResult');

/** What may be known of options before anything is sent; their values are checked when the canvas is started. @internal */
export function readSignatureOptions(
  options: unknown,
  place: string,
  keys: readonly (keyof SignatureOptions)[] = KEYS,
): SignatureOptions {
  if (!isPlainObject(options)) throw invalidCanvas(place, "an object like { queue: 'bulk', priority: 7 }", options);
  for (const key of Object.keys(options)) {
    if (keys.includes(key as keyof SignatureOptions)) continue;
    const reason = REASONS[key as keyof EnqueueEntryOptions];
    throw invalidCanvas(`${place}.${key}`, reason ? `absent: ${reason}` : `one of ${keys.join(', ')}`, options[key]);
  }
  return jsonCopy(options as SignatureOptions, place);
}
