import { EventEmitter } from 'node:events';
import type { PgPoolClient, PgQueryResult } from 'bullmq';
import type { SessionUser } from './session-gate.js';

/** Runs a client's statements: what its pool lends it. @internal */
export interface ClientHost {
  execute<R>(text: string, params: readonly unknown[] | undefined, client: SessionUser): Promise<PgQueryResult<R>>;
  release(client: SessionUser): void;
}

/**
 * A client of the one session. Once it says BEGIN, the session is its own until COMMIT, ROLLBACK or release.
 *
 * @internal
 */
export class PgliteClient extends EventEmitter implements PgPoolClient {
  private isReleased = false;

  constructor(private readonly host: ClientHost) {
    super();
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    if (this.isReleased) throw new Error('nestjs-jobs: the client was released; take a new one with connect()');
    return this.host.execute<R>(text, params, this);
  }

  /** Rolls back an open transaction. A second call does nothing. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.host.release(this);
  }
}
