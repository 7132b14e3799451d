import type { LedgerRecord } from '../backend/ledger.js';
import { isPlainObject } from '../options/jobs-options.error.js';
import type { FleetProcess, ProcessQueue } from './fleet-types.js';

/** In the ledger: what each live process says of itself. @internal */
export const PROCESSES = 'processes';

/** A queue as the process that works it tells of it. @internal */
export interface WorkedQueue extends ProcessQueue {
  /** With this the tokens of its claims begin. */
  readonly worker: string;
}

/** @internal */
export interface ProcessRecord extends Omit<FleetProcess, 'queues'> {
  readonly queues: WorkedQueue[];
  /** Whether it was written by a version that tells of its tasks. */
  readonly tellsTasks: boolean;
}

/** What a process says of itself, as the ledger keeps it. @internal */
export type StoredProcess = {
  /** Names of the queues in which it begins jobs; all that a version before this one reads. */
  queues: string[];
  tasks: string[];
  host: string;
  pid: number;
  version: string;
  node: string;
  /** Milliseconds since the epoch, by the clock of the process. */
  startedAt: number;
  seenAt: number;
  worked: StoredQueue[];
  memory: number;
  eventLoopLag: number;
  draining: boolean;
};

type StoredQueue = { queue: string; concurrency: number; active: number; paused: boolean; worker: string };

/** Reads what any version wrote; undefined for what is no process. @internal */
export function readProcess({ key, value }: LedgerRecord): ProcessRecord | undefined {
  if (!isPlainObject(value)) return undefined;
  const said: Partial<Record<keyof StoredProcess, unknown>> = value;
  return {
    id: key,
    host: textOf(said.host),
    pid: numberOf(said.pid),
    version: textOf(said.version),
    node: textOf(said.node),
    startedAt: timeOf(said.startedAt),
    seenAt: timeOf(said.seenAt),
    queues: Array.isArray(said.worked)
      ? said.worked.filter(isPlainObject).map(readQueue)
      : textsOf(said.queues).map((queue) => readQueue({ queue })),
    tasks: textsOf(said.tasks),
    tellsTasks: Array.isArray(said.tasks),
    memory: numberOf(said.memory),
    eventLoopLag: numberOf(said.eventLoopLag),
    draining: said.draining === true,
  };
}

/** Without what is this library's own affair. @internal */
export function toFleetProcess({ tellsTasks: _tellsTasks, queues, ...process }: ProcessRecord): FleetProcess {
  return { ...process, queues: queues.map(({ worker: _worker, ...queue }) => queue) };
}

function readQueue(said: Partial<Record<keyof StoredQueue, unknown>>): WorkedQueue {
  return {
    queue: textOf(said.queue),
    concurrency: numberOf(said.concurrency),
    active: numberOf(said.active),
    paused: said.paused === true,
    worker: textOf(said.worker),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function timeOf(value: unknown): string {
  const time = new Date(numberOf(value));
  return value === undefined || Number.isNaN(time.getTime()) ? '' : time.toISOString();
}
