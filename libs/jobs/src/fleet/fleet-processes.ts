import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { invalidArgument } from '../client/invalid-argument.error.js';
import { JobsClient } from '../client/jobs-client.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import type { FleetProcess } from './fleet-types.js';
import { ProcessNotFoundError } from './fleet.errors.js';
import { PROCESSES, readProcess, toFleetProcess, type ProcessRecord } from './process-record.js';

/** The live processes, as they told of themselves last. @internal */
@Injectable()
export class FleetProcesses {
  constructor(
    private readonly client: JobsClient,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /** Without the queue of the library's own. */
  async list(): Promise<FleetProcess[]> {
    return (await this.records()).map(forUsers);
  }

  /** Those that booted first before others. */
  async records(): Promise<ProcessRecord[]> {
    const records = await this.client.reach(() => this.backend.ledger.list(PROCESSES));
    return records
      .flatMap((record) => readProcess(record) ?? [])
      .sort((a, b) => compare(a.startedAt, b.startedAt) || compare(a.id, b.id));
  }

  /**
   * @param name - an id, the beginning of one, or `host:pid`.
   * @throws {@link ProcessNotFoundError}; {@link InvalidArgumentError} when several are meant.
   */
  async find(name: string): Promise<ProcessRecord> {
    if (typeof name !== 'string' || name === '') throw invalidArgument('the process', 'an id or host:pid', name);
    const all = await this.records();
    const same = all.find(({ id }) => id === name);
    if (same) return same;
    const found = all.filter(({ id, host, pid }) => id.startsWith(name) || `${host}:${pid}` === name);
    if (found.length > 1) {
      throw invalidArgument('the process', `one of ${found.map(({ id }) => id).join(', ')}`, name);
    }
    if (!found[0]) throw new ProcessNotFoundError(name);
    return found[0];
  }

  /** As it is now, or as it was before if it has gone meanwhile. */
  async again(known: ProcessRecord): Promise<FleetProcess> {
    const record = await this.client.reach(() => this.backend.ledger.get(PROCESSES, known.id));
    return forUsers((record && readProcess(record)) ?? known);
  }
}

function forUsers(record: ProcessRecord): FleetProcess {
  return toFleetProcess({ ...record, queues: record.queues.filter(({ queue }) => queue !== INTERNAL_QUEUE) });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
