import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { destroyClient } from './listen-connection.js';
import { isPostgresConnectionError, PostgresConnectionLostError } from './postgres-errors.js';
import { RESULT_TYPES } from './result-types.js';
import { closeUnlessMade } from './silent-clients.js';
import { ISOLATION } from './session-settings.js';

interface Statement {
  readonly query: QueryConfig;
  readonly resolve: (result: QueryResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A client with our search_path, and how to return it. */
export interface LentClient {
  readonly client: PoolClient;
  /** Called once. A destroyed client is not used again by anybody. */
  readonly giveBack: (destroy?: boolean) => Promise<void>;
}

/** What our statements need of a session, and what it had before. */
const TAKE = `
SELECT current_setting('search_path') AS path, current_setting('default_transaction_isolation') AS isolation,
       set_config('search_path', $1, false), set_config('default_transaction_isolation', $2, false)`;
const GIVE_BACK = `SELECT set_config('search_path', $1, false), set_config('default_transaction_isolation', $2, false)`;

interface SessionSettings {
  readonly path: string;
  readonly isolation: string;
}

/**
 * Statements on clients of a pool that is not ours. Each client gets our search_path while it is lent, and its own back
 * before it returns. A client runs statements for as long as there are some and nobody else waits for a client, so that
 * under load the two statements around them are shared by many.
 *
 * @internal
 */
export class LentClients {
  private readonly waiting: Statement[] = [];
  /** The pool's clients that are ours at the moment. */
  readonly inUse = new Set<PoolClient>();
  /** Clients that are lent or asked for. */
  private lent = 0;
  private asking = 0;
  private onGivenBack: (() => void) | undefined;
  private isEnded = false;

  constructor(
    private readonly pool: Pool,
    private readonly searchPath: string,
    /** Milliseconds. A connection that is silent for longer is given up, or it would be one less in the pool for ever. */
    private readonly queryTimeout: number,
    /** Milliseconds, for a pool that sets no limit itself. */
    private readonly connectTimeout: number,
  ) {}

  query(query: QueryConfig): Promise<QueryResult> {
    if (this.isEnded) return Promise.reject(ended());
    return new Promise((resolve, reject) => {
      this.waiting.push({ query, resolve, reject });
      this.lend();
    });
  }

  async take(): Promise<LentClient> {
    this.asking++;
    const connecting = this.pool.connect();
    const overdue = closeUnlessMade(this.pool, this.connectTimeout);
    const client = await connecting.finally(() => {
      this.asking--;
      clearTimeout(overdue);
    });
    // Without a listener the error of a lent client would end the process; its statement fails as well.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    this.inUse.add(client);
    if (this.isEnded) destroyClient(client);
    const release = (destroy: boolean): void => {
      client.off('error', ignore);
      this.inUse.delete(client);
      client.release(destroy);
      if (this.inUse.size === 0) this.onGivenBack?.();
    };
    try {
      const take = { text: TAKE, values: [this.searchPath, ISOLATION], types: RESULT_TYPES };
      const { rows } = await client.query<SessionSettings>(this.inTime(take));
      assertIdle(client);
      return { client, giveBack: (destroy = false) => this.restore(client, rows[0]!, destroy, release) };
    } catch (error) {
      release(true);
      throw error;
    }
  }

  /** Resolves when no client is ours any more. */
  whenGivenBack(): Promise<void> {
    return new Promise((resolve) => {
      this.onGivenBack = resolve;
      if (this.inUse.size === 0) resolve();
    });
  }

  /** Drops the clients that are ours, and whatever waits for one. */
  destroy(): void {
    this.isEnded = true;
    for (const { reject } of this.waiting.splice(0)) reject(ended());
    this.inUse.forEach(destroyClient);
  }

  /** Takes one client and gives it back: one whose connection is broken does not answer to that. */
  async speak(): Promise<void> {
    await (await this.take()).giveBack();
  }

  private lend(): void {
    if (this.waiting.length > 0 && this.lent < this.pool.options.max) void this.serve();
  }

  private async serve(): Promise<void> {
    this.lent++;
    try {
      const { client, giveBack } = await this.take();
      await giveBack(!(await this.runWaiting(client)));
    } catch (error) {
      // No client could be had; who has waited longest is told.
      this.waiting.shift()?.reject(error);
    } finally {
      this.lent--;
      this.lend();
    }
  }

  /** False when the client can run nothing any more. */
  private async runWaiting(client: PoolClient): Promise<boolean> {
    do {
      for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
        try {
          next.resolve(await client.query(this.inTime(next.query)));
        } catch (error) {
          next.reject(error);
          if (isPostgresConnectionError(error)) return false;
        }
        if (this.isWantedElsewhere()) return true;
      }
      // Whoever awaited one of these answers may ask for the next one right now.
      await new Promise(setImmediate);
    } while (this.waiting.length > 0);
    return true;
  }

  private async restore(
    client: PoolClient,
    { path, isolation }: SessionSettings,
    destroy: boolean,
    release: (destroy: boolean) => void,
  ): Promise<void> {
    if (!destroy) {
      destroy = await client.query(this.inTime({ text: GIVE_BACK, values: [path, isolation] })).then(
        () => false,
        () => true,
      );
    }
    release(destroy);
  }

  /** node-postgres takes it for a single statement too, which its types do not know. */
  private inTime(query: QueryConfig): QueryConfig {
    return Object.assign({ query_timeout: this.queryTimeout }, query);
  }

  private isWantedElsewhere(): boolean {
    return this.pool.waitingCount > this.asking || this.pool.ending;
  }
}

function ended(): PostgresConnectionLostError {
  return new PostgresConnectionLostError(new Error('this app was closed'));
}

/** What is done in a transaction that somebody left open is never committed. */
function assertIdle(client: PoolClient): void {
  const { getTransactionStatus } = client as { getTransactionStatus?: () => string | null };
  const status = getTransactionStatus?.call(client) ?? 'I';
  if (status === 'I') return;
  throw new Error(
    "nestjs-jobs: the app's pg.Pool gave out a client with an open transaction, which was rolled back now. " +
      'Somebody released it without COMMIT or ROLLBACK.',
  );
}
