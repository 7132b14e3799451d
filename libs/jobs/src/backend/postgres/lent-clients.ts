import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { RESULT_TYPES } from './result-types.js';

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

const TAKE_SEARCH_PATH = `SELECT current_setting('search_path') AS previous, set_config('search_path', $1, false)`;
const GIVE_SEARCH_PATH = `SELECT set_config('search_path', $1, false)`;

/**
 * Statements on clients of a pool that is not ours. Each client gets our search_path while it is lent, and its own back
 * before it returns. A client runs statements for as long as there are some and nobody else waits for a client, so that
 * under load the two statements around them are shared by many.
 *
 * @internal
 */
export class LentClients {
  private readonly waiting: Statement[] = [];
  /** Clients that are lent or asked for. */
  private lent = 0;
  private asking = 0;

  constructor(
    private readonly pool: Pool,
    private readonly searchPath: string,
  ) {}

  query(query: QueryConfig): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ query, resolve, reject });
      this.lend();
    });
  }

  async take(): Promise<LentClient> {
    this.asking++;
    const client = await this.pool.connect().finally(() => this.asking--);
    // Without a listener the error of a lent client would end the process; its statement fails as well.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    const release = (destroy: boolean): void => {
      client.off('error', ignore);
      client.release(destroy);
    };
    try {
      const { rows } = await client.query<{ previous: string }>({
        text: TAKE_SEARCH_PATH,
        values: [this.searchPath],
        types: RESULT_TYPES,
      });
      return { client, giveBack: (destroy = false) => restore(client, rows[0]!.previous, destroy, release) };
    } catch (error) {
      release(true);
      throw error;
    }
  }

  private lend(): void {
    if (this.waiting.length > 0 && this.lent < this.pool.options.max) void this.serve();
  }

  private async serve(): Promise<void> {
    this.lent++;
    try {
      const { client, giveBack } = await this.take();
      await this.runWaiting(client);
      await giveBack();
    } catch (error) {
      // No client could be had; who has waited longest is told.
      this.waiting.shift()?.reject(error);
    } finally {
      this.lent--;
      this.lend();
    }
  }

  private async runWaiting(client: PoolClient): Promise<void> {
    do {
      for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
        await client.query(next.query).then(next.resolve, next.reject);
        if (this.isWantedElsewhere()) return;
      }
      // Whoever awaited one of these answers may ask for the next one right now.
      await new Promise(setImmediate);
    } while (this.waiting.length > 0);
  }

  private isWantedElsewhere(): boolean {
    return this.pool.waitingCount > this.asking;
  }
}

async function restore(
  client: PoolClient,
  previous: string,
  destroy: boolean,
  release: (destroy: boolean) => void,
): Promise<void> {
  if (!destroy) {
    destroy = await client.query(GIVE_SEARCH_PATH, [previous]).then(
      () => false,
      () => true,
    );
  }
  release(destroy);
}
