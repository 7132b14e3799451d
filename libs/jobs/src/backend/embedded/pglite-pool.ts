import { EventEmitter } from 'node:events';
import type { PgPoolClient, PgQueryResult } from 'bullmq';
import type { ChannelListener, SqlPool } from '../sql/sql-pool.js';
import { ChannelListeners } from './channel-listeners.js';
import { DataDirectory } from './data-directory.js';
import type { OnWait } from './data-directory-lock.js';
import { PgliteClient, type ClientHost } from './pglite-client.js';
import { PgliteDatabaseError } from './pglite-database.error.js';
import { PgliteSession } from './pglite-session.js';
import { parseRows, toParameter } from './pglite-values.js';
import { SessionGate, type SessionUser } from './session-gate.js';

/** @internal */
export interface PglitePoolOptions {
  /** A directory, created when it is missing, or `memory://`. */
  readonly dataDir: string;
  /** The schema that unqualified names mean; it need not exist yet. A valid identifier. */
  readonly searchPath: string;
  /** A directory, from which new databases have their first files. */
  readonly template?: string | undefined;
  /** How long to wait, in ms, for another process to leave the directory. */
  readonly lockGrace: number;
  readonly onWait?: OnWait;
  /** @default the `pglite-thread.js` beside this file */
  readonly thread?: URL;
}

/**
 * Opens a Postgres inside this process: PGlite in a worker thread. The process stays alive until {@link PglitePool.end}.
 *
 * @throws {DataDirectoryLockedError} when another process does not leave the directory in time.
 * @throws {EmbeddedBackendUnavailableError} when PGlite is not installed or cannot open the directory.
 * @internal
 */
export async function openPglitePool(options: PglitePoolOptions): Promise<PglitePool> {
  const directory = isInMemory(options.dataDir)
    ? undefined
    : await DataDirectory.open(options.dataDir, options.lockGrace, options.onWait);
  try {
    return await PglitePool.open(options, directory);
  } catch (error) {
    directory?.leave();
    throw error;
  }
}

/**
 * {@link SqlPool} over the one session of PGlite. Statements go to it in the order of the calls, except while a client
 * is in a transaction: then everybody else's wait. So a transaction must not await a statement of anybody else.
 *
 * There is one session, hence `SET` without `LOCAL`, and advisory locks of the session, are everybody's.
 *
 * @internal
 */
export class PglitePool extends EventEmitter implements SqlPool {
  private readonly gate: SessionGate;
  private readonly channels = new ChannelListeners((text) => this.query(text));
  private readonly clientHost: ClientHost = {
    execute: (text, params, client) => this.execute(text, params, client),
    release: (client) => this.gate.release(client),
  };
  private isUsable = true;
  private ending?: Promise<void>;

  private constructor(
    private readonly session: PgliteSession,
    private readonly directory?: DataDirectory,
  ) {
    super();
    // BullMQ adds an 'error' listener for every connection and never removes it.
    this.setMaxListeners(0);
    this.gate = new SessionGate(session);
    session.on('notification', ({ channel, payload }) => this.channels.deliver(channel, payload));
    session.once('stopped', (error) => this.fail(error));
    directory?.onceLost((reason) => void session.kill(reason));
  }

  static async open(options: PglitePoolOptions, directory?: DataDirectory): Promise<PglitePool> {
    const dataDir = directory?.databaseDir ?? options.dataDir;
    const session = await PgliteSession.open({ ...options, dataDir });
    directory?.markInitialized();
    return new PglitePool(session, directory);
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.execute<R>(text, params);
  }

  async connect(): Promise<PgPoolClient> {
    if (this.ending) throw new PoolEndedError();
    return new PgliteClient(this.clientHost);
  }

  async listen(channel: string, listener: ChannelListener): Promise<() => Promise<void>> {
    if (this.ending) throw new PoolEndedError();
    const unlisten = await this.channels.listen(channel, listener);
    return async () => {
      if (this.isUsable) await unlisten();
    };
  }

  /** Waits for all statements and for an open transaction, then closes the database and leaves the directory. */
  end(): Promise<void> {
    this.ending ??= this.close();
    return this.ending;
  }

  private async close(): Promise<void> {
    this.isUsable = false;
    await this.gate.whenIdle();
    await this.session.close();
    this.directory?.leave();
  }

  private async execute<R>(text: string, params?: readonly unknown[], client?: SessionUser): Promise<PgQueryResult<R>> {
    const mayFinish = client !== undefined && this.gate.isOwner(client);
    if (this.ending && !mayFinish) throw new PoolEndedError();
    const answer = await this.gate.execute(text, params?.length ? params.map(toParameter) : undefined, client);
    if (answer.kind === 'failure') throw new PgliteDatabaseError(answer.error);
    return { rows: parseRows(answer.rows, answer.columns) as R[], rowCount: answer.rowCount };
  }

  private fail(error: Error): void {
    this.isUsable = false;
    this.gate.abandon();
    this.directory?.leave();
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}

/** BullMQ knows this message, of node-postgres, and lets go of a statement that came too late. */
class PoolEndedError extends Error {
  constructor() {
    super('Cannot use a pool after calling end on the pool');
  }
}

function isInMemory(dataDir: string): boolean {
  return dataDir.startsWith('memory://');
}
