import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { JobsService } from '../../libs/jobs/src/index.js';
import { eventually } from '../support/eventually.js';
import {
  brokenOnly,
  finalStatuses,
  firstRunOf,
  newChaosDirectory,
  storedJobs,
  type ChaosReport,
  type ChaosRequest,
} from './chaos-run.js';
import { ChaosModule, type ChaosSettings } from './chaos-module.js';
import { ofKind, type DeliveryEvidence } from './delivery-audit.js';
import { Fleet } from './fleet.js';
import { HealthWatch } from './health-watch.js';
import { clock, millisecondsBetween, readLedger, type LedgerEntry } from './ledger.js';
import { auditLoad, inFlight, isBusy } from './load-audit.js';
import { STOP_PRODUCING } from './producer.js';
import { seededRandom } from './seeded-random.js';

const CONCURRENCY = 10;
const TIME_TO_END = 120_000;
/** Milliseconds from the end of the boot until the process has begun a job. */
const TIME_TO_RESUME = 10_000;

interface Death {
  readonly inFlight: number;
  readonly bootedAfter: number;
  readonly resumedAfter: number;
}

/** Kills the one process that an embedded store has, -9, while it enqueues and works, and starts it again. */
export async function embeddedProcess(request: Omit<ChaosRequest, 'workers'>): Promise<ChaosReport> {
  const { seed, jobs, kills, store } = request;
  const random = seededRandom(seed);
  const directory = newChaosDirectory();
  const settings: ChaosSettings = { ...store, ledger: directory, concurrency: CONCURRENCY };
  const working = { ...settings, servesHealth: true, producesFrom: seed };
  const fleet = new Fleet(request.workerModule, working, 1, join(directory, 'workers.log'));
  const health = new HealthWatch(() => fleet.healthUrl);
  const entries = (): LedgerEntry[] => readLedger(directory);
  const untilAcknowledged = (count: number): Promise<unknown> =>
    eventually(() => ofKind(entries(), 'acknowledged').length >= count, { timeout: 120_000 });
  try {
    await fleet.whenReady(0);
    const deaths: Death[] = [];
    for (let n = 0; n < kills; n++) {
      await untilAcknowledged(Math.floor((jobs * (n + random.between(20, 80) / 100)) / kills));
      await health.wellAfter(clock());
      await pause(random.between(0, 200));
      await eventually(() => isBusy(entries(), fleet.pids), { timeout: 30_000, interval: 10 });
      deaths.push(await killOnce(fleet, entries));
    }
    await untilAcknowledged(jobs);
    await health.wellAfter(clock());
    fleet.tell(STOP_PRODUCING);
    await fleet.stop();
    return verdict(await evidenceOf(settings, entries), deaths, fleet, directory);
  } finally {
    await health.stop();
    await fleet.stop();
  }
}

async function killOnce(fleet: Fleet, entries: () => LedgerEntry[]): Promise<Death> {
  const pid = fleet.pidIn(0);
  const killedAt = clock();
  await fleet.kill(0);
  const goneAt = clock();
  await fleet.whenReady(0);
  const bootedAt = clock();
  const { at } = await firstRunOf(entries, fleet.pidIn(0), goneAt);
  return {
    inFlight: inFlight(entries(), [pid], killedAt, goneAt).length,
    bootedAfter: millisecondsBetween(goneAt, bootedAt),
    // The workers begin before the process says that it has booted.
    resumedAfter: Math.max(0, millisecondsBetween(bootedAt, at)),
  };
}

/** Told by a process that comes after, and that works what the others have left. */
async function evidenceOf(settings: ChaosSettings, entries: () => LedgerEntry[]): Promise<DeliveryEvidence> {
  const app = await NestFactory.createApplicationContext(ChaosModule.of(settings, true), {
    logger: false,
    abortOnError: false,
  });
  try {
    const jobs = app.get(JobsService);
    const acknowledged = (): string[] => [...new Set(ofKind(entries(), 'acknowledged').map(({ id }) => id))];
    await finalStatuses(jobs, acknowledged(), TIME_TO_END);
    const statuses = await finalStatuses(jobs, acknowledged(), TIME_TO_END);
    return { entries: entries(), statuses, stored: await storedJobs(jobs) };
  } finally {
    await app.close();
  }
}

function verdict(evidence: DeliveryEvidence, deaths: readonly Death[], fleet: Fleet, directory: string): ChaosReport {
  const { counts, promises } = auditLoad(evidence);
  const slow = deaths.filter(({ resumedAfter }) => resumedAfter > TIME_TO_RESUME);
  return {
    counts: {
      ...counts,
      kills: deaths.length,
      in_flight_at_kill: deaths.reduce((sum, { inFlight: count }) => sum + count, 0),
      longest_boot_ms: Math.max(...deaths.map(({ bootedAfter }) => bootedAfter)),
      longest_resumed_ms: Math.max(...deaths.map(({ resumedAfter }) => resumedAfter)),
    },
    broken: brokenOnly({
      ...promises,
      'The process consumes again within 10 s of its boot': slow.map(({ resumedAfter }) => `after ${resumedAfter} ms`),
      'The process ends only when it is killed': [
        ...fleet.endedByThemselves,
        ...(fleet.deaths === deaths.length ? [] : [`${fleet.deaths} of ${deaths.length} died`]),
      ],
      'The process dies under load': deaths
        .filter(({ inFlight: count }) => count === 0)
        .map(() => 'nothing ran when it was killed'),
    }),
    directory,
  };
}
