import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { BackendLogger } from '../backend/backend-logger.js';
import { BackendUnavailableError } from '../backend/backend.errors.js';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import { openBackend } from '../backend/open-backend.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { withTimeout } from '../backend/with-timeout.js';
import { JobsService } from '../client/jobs.service.js';
import { FleetProcesses } from '../fleet/fleet-processes.js';
import { readDeclarations, type KnownDeclarations } from '../fleet/known-declarations.js';
import type { ProcessRecord } from '../fleet/process-record.js';
import { JobsCoreModule } from '../jobs-core.module.js';
import { RateLimits } from '../limits/rate-limits.js';
import type { JobsModuleOptions, ResolvedJobsOptions } from '../options/jobs-options.js';
import { QUEUE_NAME } from '../options/option-reader.js';
import { resolveOptions } from '../options/resolve-options.js';
import type { ScheduleInfo } from '../schedule/schedule-info.js';
import { CliError, EXIT_CODES, exitCodeOf } from './exit-codes.js';
import type { StorePlace } from './store-place.js';

/** @internal */
export interface SessionOptions {
  readonly place: StorePlace;
  /** As the module's `connectTimeout`. */
  readonly timeout: string;
  /** Names of queues, beside those that processes have declared. */
  readonly queues: readonly string[];
}

/** What is wrong is said at the end of the command, once. */
const SILENT: BackendLogger = { log() {}, error() {}, debug() {} };

/**
 * The services of the library on a store, without being an app of it: nothing is worked, swept, scheduled, migrated or
 * announced.
 *
 * @internal
 */
export class JobsSession {
  private constructor(
    private readonly app: INestApplicationContext,
    readonly jobs: JobsService,
    /** Names of those that are known. */
    readonly queues: readonly string[],
  ) {}

  /** @throws {CliError} and the errors of the backends. */
  static async open({ place, timeout, queues: named }: SessionOptions): Promise<JobsSession> {
    const own: JobsModuleOptions = { ...place, connectTimeout: timeout, workers: false, results: { store: false } };
    const resolved = resolveOptions(own);
    const backend = await open(resolved);
    try {
      const declared = await read(backend, resolved);
      const queues = [...new Set([...declared.queues, ...named])].sort();
      if (queues.length === 0) throw nothingIn(resolved.namespace);
      const app = await boot(backend, optionsOf(own, declared, queues));
      for (const [name, rule] of declared.limits) app.get(RateLimits).declare(name, rule);
      return new JobsSession(app, app.get(JobsService), queues);
    } catch (error) {
      await backend.close(resolved.connectTimeout);
      throw error;
    }
  }

  /** @throws {CliError} when no process has declared it. */
  requireQueue(name: string): string {
    if (this.queues.includes(name)) return name;
    const known = this.queues.length > 0 ? `Known: ${this.queues.join(', ')}.` : 'None is known.';
    const isName = QUEUE_NAME.test(name);
    const hint = isName ? ` If no process has said yet that it has this one, add --queues ${name}.` : '';
    throw new CliError(`There is no queue "${name}". ${known}${hint}`, EXIT_CODES.notFound);
  }

  /** @throws {CliError} when there is none. */
  async requireSchedule(name: string): Promise<ScheduleInfo> {
    const info = await this.jobs.schedules.get(name);
    if (info) return info;
    throw new CliError(`There is no schedule "${name}".`, EXIT_CODES.notFound);
  }

  /** @throws {@link ProcessNotFoundError} */
  async requireProcess(name: string): Promise<ProcessRecord> {
    return this.app.get(FleetProcesses).find(name);
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}

async function open(options: ResolvedJobsOptions): Promise<QueueBackend> {
  try {
    const { connection, namespace } = options;
    if (connection.kind !== 'embedded') return await openBackend(options, SILENT, true);
    const { EmbeddedBackend } = await import('../backend/embedded/embedded-backend.js');
    return await EmbeddedBackend.visit({ dataDir: connection.dataDir, namespace, lockGrace: 0, logger: SILENT });
  } catch (error) {
    throw explained(error as Error, options.namespace);
  }
}

/** A name that was misspelled must not look like a fleet that is at rest. */
function nothingIn(namespace: string): CliError {
  return new CliError(
    `There are no jobs in the namespace "${namespace}": no process has ever said there which queues it has. Is it the ` +
      'right one (--namespace)? If its processes are of a version that does not say so, name their queues with --queues.',
    EXIT_CODES.unavailable,
  );
}

/** What a store says that does not let anybody in is no failure of the command. */
function explained(error: Error & { pid?: number; hostname?: string; dataDir?: string }, namespace: string): Error {
  const { name, message, dataDir, pid, hostname } = error;
  const failed = (said: string): CliError => new CliError(said, EXIT_CODES.unavailable, { cause: error });
  if (name === 'DataDirectoryLockedError') {
    return failed(
      `The app has ${dataDir} open (pid ${pid} on ${hostname}), and an embedded store belongs to one process at a time. ` +
        'Stop the app first, or ask it over HTTP.',
    );
  }
  if (name === 'MigrationsMissingError') {
    return failed(
      `There are no jobs of this version of nestjs-jobs in the namespace "${namespace}": its tables are missing or older. ` +
        'Is it the right one (--namespace)? An app makes and upgrades its tables when it starts.',
    );
  }
  return exitCodeOf(error) === EXIT_CODES.failed ? failed(`The store cannot be used: ${message}`) : error;
}

async function read(backend: QueueBackend, { connectTimeout }: ResolvedJobsOptions): Promise<KnownDeclarations> {
  const { location } = backend;
  await backend.whenReady(connectTimeout);
  const away = (cause?: unknown): Error => new BackendUnavailableError(location, connectTimeout, cause);
  try {
    return await withTimeout(readDeclarations(backend.ledger), connectTimeout, away);
  } catch (error) {
    throw backend.isConnectionError(error) ? away(error) : error;
  }
}

function optionsOf(
  own: JobsModuleOptions,
  { options }: KnownDeclarations,
  queues: readonly string[],
): JobsModuleOptions {
  const { results = {} } = options;
  const hasTable = backendHasTable(own);
  return {
    ...own,
    ...options,
    results: { ...results, ...(results.store === 'table' && !hasTable && { store: false as const }) },
    // The library always has a default queue; where none is known, that it has one too is no news of the fleet.
    ...(options.defaultQueue === undefined && queues[0] !== undefined && { defaultQueue: queues[0] }),
    queues: Object.fromEntries(queues.map((name) => [name, {}])),
  };
}

function backendHasTable({ connection }: JobsModuleOptions): boolean {
  return typeof connection === 'object' && !('redis' in connection);
}

/**
 * The core alone, and never `JobsModule` around it: in there are the chores. A process without schedules in its code, for
 * one, would take those of a fleet that is down just now for withdrawn.
 */
async function boot(backend: QueueBackend, options: JobsModuleOptions): Promise<INestApplicationContext> {
  const core = JobsCoreModule.forRoot(options);
  // It has told which queues there are, and a directory cannot be opened twice.
  const opened = { ...core, providers: [...(core.providers ?? []), { provide: QUEUE_BACKEND, useValue: backend }] };
  return NestFactory.createApplicationContext(opened, { logger: false, abortOnError: false });
}
