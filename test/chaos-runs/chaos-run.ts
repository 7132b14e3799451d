import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobsService, type JobStatus } from '../../libs/jobs/src/index.js';
import { eventually } from '../support/eventually.js';
import { ChaosModule, type ChaosSettings, type ChaosStore } from './chaos-module.js';
import type { Statuses } from './chaos-tasks.js';
import type { DeliveryEvidence } from './delivery-audit.js';
import { Fleet } from './fleet.js';
import { LedgerFile, readLedger, type LedgerEntry } from './ledger.js';

export interface ChaosRequest {
  readonly store: ChaosStore;
  /** What a worker process runs: `worker.ts`, built. */
  readonly workerModule: URL;
  readonly seed: number;
  readonly jobs: number;
  readonly workers: number;
  /** Of `kill`: how many processes are killed. */
  readonly kills: number;
}

/** Something that the library says and that did not hold. */
export interface BrokenPromise {
  readonly promise: string;
  /** Ids, or what else it broke for. */
  readonly jobs: readonly string[];
}

/** A store that a run may kill. */
export interface ChaosServer {
  readonly port: number;
  kill(): Promise<unknown>;
  /** Resolves when it answers again, on the same port and with its data. */
  restart(): Promise<unknown>;
}

export interface ChaosReport {
  readonly counts: Readonly<Record<string, number>>;
  readonly broken: readonly BrokenPromise[];
  /** Where the ledger and the output of the workers are. */
  readonly directory: string;
}

/** A list without jobs is a promise that held. */
export function brokenOnly(promises: Readonly<Record<string, readonly string[]>>): BrokenPromise[] {
  return Object.entries(promises).flatMap(([promise, jobs]) => (jobs.length === 0 ? [] : [{ promise, jobs }]));
}

/** For the ledger, and for what the workers log. */
export function newChaosDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'nestjs-jobs-chaos-'));
}

const STATUSES_AT_ONCE = 100;

/** The runner's side of a run: its own access to the store, the ledger and the worker processes. */
export class ChaosScene {
  private constructor(
    readonly directory: string,
    readonly fleet: Fleet,
    readonly ledger: LedgerFile,
    readonly jobs: JobsService,
    private readonly app: INestApplicationContext,
  ) {}

  static async open(
    { store, workerModule, workers }: Pick<ChaosRequest, 'store' | 'workerModule' | 'workers'>,
    concurrency: number,
    more: Partial<ChaosSettings> = {},
  ): Promise<ChaosScene> {
    const directory = newChaosDirectory();
    const settings: ChaosSettings = { ...store, ledger: directory, concurrency, ...more };
    const app = await NestFactory.createApplicationContext(ChaosModule.of(settings, false), {
      logger: false,
      abortOnError: false,
    });
    const fleet = new Fleet(workerModule, settings, workers, join(directory, 'workers.log'));
    const scene = new ChaosScene(directory, fleet, app.get(LedgerFile), app.get(JobsService), app);
    try {
      await fleet.whenAllReady();
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  entries(): LedgerEntry[] {
    return readLedger(this.directory);
  }

  /** The first run of the job with that number, as soon as the ledger has it. */
  async runOf(id: string, attempt: number): Promise<LedgerEntry> {
    return eventually(
      () =>
        this.entries().find((entry) => entry.what === 'run' && entry.id === id && entry.attempt === attempt) ?? null,
      { timeout: 30_000 },
    );
  }

  /** When the process began a run after that moment. Waits for much longer than any promise: how long it took counts. */
  async firstRunAfter(pid: number, moment: number): Promise<number> {
    return (await firstRunOf(() => this.entries(), pid, moment)).at;
  }

  /** What is known of all acknowledged jobs once they have ended, or have not in that time. The statuses are kept. */
  async whenAllEnded(timeout: number): Promise<DeliveryEvidence> {
    const acknowledged = (): string[] => {
      const all = this.entries().filter(({ what }) => what === 'acknowledged' || what === 'payment');
      return [...new Set(all.map(({ id }) => id))];
    };
    // Once these have ended, no task enqueues any more: what they enqueued is in the ledger as well.
    const first = await this.finalStatuses(acknowledged(), timeout);
    const haveEnded = [...first.values()].every((status) => status?.terminal);
    const statuses = await this.finalStatuses(acknowledged(), haveEnded ? timeout : 0);
    writeFileSync(join(this.directory, 'statuses.json'), JSON.stringify([...statuses.values()], null, 1));
    return { entries: this.entries(), statuses, stored: await this.storedJobs() };
  }

  finalStatuses(ids: readonly string[], timeout: number): Promise<Statuses> {
    return finalStatuses(this.jobs, ids, timeout);
  }

  storedJobs(queue?: string): Promise<number> {
    return storedJobs(this.jobs, queue);
  }

  async close(): Promise<void> {
    await this.fleet.stop();
    await this.app.close();
  }
}

export function firstRunOf(entries: () => LedgerEntry[], pid: number, moment: number): Promise<LedgerEntry> {
  const isThat = (entry: LedgerEntry): boolean => entry.what === 'run' && entry.pid === pid && entry.at > moment;
  return eventually(() => entries().find(isThat) ?? null, { timeout: 90_000 });
}

/** The statuses once all are final, or as they are when the time is over. */
export async function finalStatuses(jobs: JobsService, ids: readonly string[], timeout: number): Promise<Statuses> {
  const statuses = new Map<string, JobStatus | null>();
  const isFinal = (id: string): boolean => statuses.get(id)?.terminal === true;
  const look = async (): Promise<boolean> => {
    const open = ids.filter((id) => !isFinal(id));
    for (let start = 0; start < open.length; start += STATUSES_AT_ONCE) {
      const found = await jobs.statuses(open.slice(start, start + STATUSES_AT_ONCE));
      for (const [id, status] of Object.entries(found)) statuses.set(id, status);
    }
    return ids.every(isFinal);
  };
  await eventually(look, { timeout, interval: 250 }).catch(() => {});
  return statuses;
}

/** All that the store has of jobs, in whatever state. */
export async function storedJobs(jobs: JobsService, queue = 'default'): Promise<number> {
  const counts = await jobs.queue(queue).getJobCounts();
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
