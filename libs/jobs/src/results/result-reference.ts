/**
 * Stands for a result that is kept in `results.store`: of a task that returns a Buffer or a stream, or more JSON than
 * `results.inlineLimit`. Where a task takes the result of such a task as its payload, it gets this;
 * {@link JobResults.open} reads it.
 *
 * The idea is the claim check of message queues, and Temporal's external payload storage.
 *
 * @publicApi
 */
export interface ResultReference {
  /** Where it is in the store; means nothing to others. */
  readonly ref: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  /** Of all bytes, as hexadecimal digits. */
  readonly sha256: string;
}

/** In the place of a result that is kept in a store. @internal */
export class KeptElsewhere {
  constructor(readonly reference: ResultReference) {}

  /** Whether it is the JSON of the result, and not the result itself. */
  get isJson(): boolean {
    return isJsonKey(this.reference.ref);
  }
}

/** How a result is kept under a key that {@link resultKey} made. @internal */
export type KeptAs = 'json' | 'bytes';

/** Whose result it is. @internal */
export interface ResultOwner {
  readonly id: string;
  readonly queue: string;
  /** The last job of the canvas that it is a part of: until that has ended, others may take the result. */
  readonly parentId?: string | undefined;
}

/** What a key says of the result under it. @internal */
export interface ResultKey {
  readonly queue: string;
  readonly jobId: string;
  /** Kept until then (milliseconds since the epoch), whatever becomes of the job: others have it as their result too. */
  readonly until?: number;
  /** Kept until this job has ended, too. */
  readonly parentId?: string;
}

/** Of a part of a key. */
const LONGEST_NAME = 200;
const LONGEST_CANVAS = 30 * 24 * 3_600_000;
const NAME = /^[0-9a-f]{32}-(json|bytes)(?:\.until-(\d+))?(?:\.for-(.+))?$/;

/** @param random - 32 hexadecimal digits: one attempt must not write over what another one wrote. @internal */
export function resultKey({ id, queue, parentId }: ResultOwner, as: KeptAs, random: string, until?: number): string {
  const kept = until === undefined ? '' : `.until-${Math.ceil(until)}`;
  const name = `${random}-${as}${kept}`;
  const named = parentId === undefined ? name : `${name}.for-${parentId}`;
  if (named.length <= LONGEST_NAME) return `${queue}/${id}/${named}`;
  // Of a parent with a very long id: for longer than a canvas is likely to take.
  return `${queue}/${id}/${random}-${as}.until-${Math.max(until ?? 0, Date.now() + LONGEST_CANVAS)}`;
}

/** Undefined when it is not one of ours. @internal */
export function readResultKey(key: string): ResultKey | undefined {
  const [queue, jobId, name, ...more] = key.split('/');
  if (!queue || !jobId || name === undefined || more.length > 0) return undefined;
  const said = NAME.exec(name);
  const [, , until, parentId] = said ?? [];
  // What a write left that has not come to its end belongs to its job all the same.
  return {
    queue,
    jobId,
    ...(until !== undefined && { until: Number(until) }),
    ...(parentId !== undefined && { parentId }),
  };
}

function isJsonKey(ref: string): boolean {
  return /\/[0-9a-f]{32}-json[^/]*$/.test(ref);
}

/** Whether a value is what stands for a result that is kept elsewhere, and nothing but that. @internal */
export function isReference(value: unknown): value is ResultReference {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 4) return false;
  const { ref, size, contentType, sha256 } = value as Record<keyof ResultReference, unknown>;
  return (
    typeof ref === 'string' &&
    /^[0-9a-f]{16}\/.+\/[0-9a-f]{32}-bytes/.test(ref) &&
    typeof size === 'number' &&
    typeof contentType === 'string' &&
    typeof sha256 === 'string'
  );
}

/** Whether it is that of a member of a group with `allowPartial`. @internal */
export function isSettledReference(value: unknown): value is { status: string; value: ResultReference } {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return false;
  const settled = value as { status?: unknown; value?: unknown };
  return settled.status === 'succeeded' && isReference(settled.value);
}
