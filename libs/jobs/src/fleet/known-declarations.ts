import { existsSync } from 'node:fs';
import type { LimitRule } from '../backend/limits.js';
import type { Ledger, LedgerValue } from '../backend/ledger.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { JobsModuleOptions } from '../options/jobs-options.js';
import { isPlainObject, LONGEST_EXPIRY, LONGEST_TIMER, QUEUE_NAME } from '../options/option-reader.js';
import { DECLARED_LIMITS, DECLARED_OPTIONS, DECLARED_QUEUES, FLEET_OPTIONS } from './fleet-declarations.js';
import { PROCESSES, readProcess } from './process-record.js';

const ALGORITHMS = ['token-bucket', 'fixed-window', 'sliding-window'];

/** The options that are one value for the fleet. @internal */
export type SharedOptions = Pick<
  JobsModuleOptions,
  'defaultQueue' | 'lease' | 'results' | 'payload' | 'unknownTaskGrace'
>;

/** What the processes of a fleet have declared. @internal */
export interface KnownDeclarations {
  /** Sorted. */
  readonly queues: readonly string[];
  readonly limits: ReadonlyMap<string, LimitRule>;
  readonly options: SharedOptions;
}

/**
 * Reads what {@link FleetDeclarations} of all processes have written. Anybody may have written it, and processes of another
 * version do: what is not understood is left out.
 *
 * @internal
 */
export async function readDeclarations(ledger: Ledger): Promise<KnownDeclarations> {
  const [queues, limits, processes, options] = await Promise.all([
    ledger.list(DECLARED_QUEUES),
    ledger.list(DECLARED_LIMITS),
    ledger.list(PROCESSES),
    ledger.get(DECLARED_OPTIONS, FLEET_OPTIONS),
  ]);
  const worked = processes.flatMap((process) => readProcess(process)?.queues ?? []);
  const names = [...queues.map(({ key }) => key), ...worked.map(({ queue }) => queue)];
  const known = new Set(names.filter((name) => QUEUE_NAME.test(name) && name !== INTERNAL_QUEUE));
  return {
    queues: [...known].sort(),
    limits: new Map(limits.flatMap(({ key, value }) => (isRule(value) ? [[key, value] as const] : []))),
    options: sharedOptions(options?.value, known),
  };
}

function isRule(value: unknown): value is LimitRule & LedgerValue {
  if (!isPlainObject(value)) return false;
  const numbers = ['limit', 'period', 'burst'].every((key) => isPositive(value[key]));
  return numbers && ALGORITHMS.includes(value['algorithm'] as string);
}

function sharedOptions(value: LedgerValue | undefined, queues: ReadonlySet<string>): SharedOptions {
  const said = isPlainObject(value) ? value : {};
  // What the options refuse would make every command one that cannot be followed.
  const number = (key: string, most: number): number | undefined => {
    const value = said[key];
    return isPositive(value) && value <= most ? value : undefined;
  };
  const [keepFor, keepFailedFor] = [number('keepFor', LONGEST_EXPIRY), number('keepFailedFor', LONGEST_EXPIRY)];
  const maxSize = number('maxPayloadSize', Number.MAX_SAFE_INTEGER);
  const [lease, unknownTaskGrace] = [number('lease', LONGEST_TIMER), number('unknownTaskGrace', LONGEST_TIMER)];
  const defaultQueue = [said['defaultQueue'], 'default', ...queues].find((name) => queues.has(name as string));
  return {
    ...(defaultQueue !== undefined && { defaultQueue: defaultQueue as string }),
    ...(lease !== undefined && { lease }),
    ...(unknownTaskGrace !== undefined && { unknownTaskGrace }),
    ...(maxSize !== undefined && { payload: { maxSize } }),
    results: {
      ...(keepFor !== undefined && { keepFor }),
      ...(keepFailedFor !== undefined && { keepFailedFor }),
      store: storeOf(said['results']),
    },
  };
}

/** A directory counts only where there is one: it may be that of another machine. */
function storeOf(place: unknown): false | 'table' | { files: string } {
  if (place === 'table') return place;
  const files = isPlainObject(place) ? place['files'] : undefined;
  return typeof files === 'string' && files !== '' && existsSync(files) ? { files } : false;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
