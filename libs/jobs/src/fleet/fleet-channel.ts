import { isPlainObject } from '../options/jobs-options.error.js';

/** On which every live process is asked. @internal */
export const QUESTIONS = 'fleet-questions';

/** On which one that asks is answered. @internal */
export function answersTo(asker: string): string {
  return `fleet-answers-${asker}`;
}

/** What a process can be asked to do. @internal */
export type FleetOrder =
  | { readonly what: 'ping' }
  | { readonly what: 'pause'; readonly queue?: string | undefined }
  | { readonly what: 'resume'; readonly queue?: string | undefined }
  | { readonly what: 'concurrency'; readonly queue: string; readonly concurrency: number }
  | { readonly what: 'drain' }
  | { readonly what: 'shut-down' };

/** @internal */
export interface FleetQuestion {
  readonly id: string;
  readonly asker: string;
  /** Ids of the processes that are meant; undefined for all. */
  readonly to: readonly string[] | undefined;
  readonly order: FleetOrder;
}

/** What a process answers when it has done it. @internal */
export interface FleetAnswer {
  readonly id: string;
  readonly process: string;
  readonly host: string;
  readonly pid: number;
  /** Why it will not do it. */
  readonly refusal?: string;
}

const ID = /^[0-9a-f-]{36}$/;
/** Of one process: no machine runs more jobs at the same time. */
export const MOST_CONCURRENCY = 100_000;

/** Anybody who can reach the store can send anything. Undefined for what is no question of this version. @internal */
export function readQuestion(message: unknown): FleetQuestion | undefined {
  if (!isPlainObject(message)) return undefined;
  const { id, asker, to, order } = message;
  if (!isId(id) || !isId(asker) || (to !== undefined && !(Array.isArray(to) && to.every(isId)))) return undefined;
  return isOrder(order) ? { id, asker, to, order } : undefined;
}

/** @internal */
export function readAnswer(message: unknown): FleetAnswer | undefined {
  if (!isPlainObject(message)) return undefined;
  const { id, process, host, pid, refusal } = message;
  if (!isId(id) || !isId(process) || typeof host !== 'string' || typeof pid !== 'number') return undefined;
  return { id, process, host, pid, ...(typeof refusal === 'string' && { refusal }) };
}

/** @internal */
export function isConcurrency(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= MOST_CONCURRENCY;
}

function isOrder(value: unknown): value is FleetOrder {
  if (!isPlainObject(value)) return false;
  const { what, queue, concurrency } = value;
  switch (what) {
    case 'ping':
    case 'drain':
    case 'shut-down':
      return true;
    case 'pause':
    case 'resume':
      return queue === undefined || typeof queue === 'string';
    case 'concurrency':
      return typeof queue === 'string' && isConcurrency(concurrency);
    default:
      return false;
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}
