import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientBase, Pool } from 'pg';
import { withTimeout } from '../with-timeout.js';
import { destroyClient } from './listen-connection.js';
import { PostgresConnectionLostError } from './postgres-errors.js';

/** Also a session that waits for a lock: cut off, it would go on waiting, and the next statement would wait beside it. */
const AT_WORK = `
SELECT pid FROM pg_stat_activity
 WHERE pid = ANY($1) AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'`;

/** What node-postgres knows and its types do not show. */
interface AskedClient extends ClientBase {
  readonly processID?: number | null;
  readonly _connecting?: boolean;
  readonly _connected?: boolean;
  _getActiveQuery?(): object | null;
}

interface Pooled {
  readonly pool: Pool;
  /** Our own among its clients, or those of them that are in use. */
  readonly clients: Iterable<ClientBase>;
  /** Makes one idle client say something. */
  readonly speak: () => Promise<unknown>;
}

/**
 * Closes the connections of clients that wait `timeout` ms for an answer that the server is not working on. Nothing is
 * closed when the server does not answer on a connection of its own either.
 *
 * @returns how many were closed.
 * @internal
 */
export async function closeSilentClients(
  { pool, clients, speak }: Pooled,
  probe: () => Client,
  timeout: number,
): Promise<number> {
  for (let idle = pool.idleCount; idle > 0; idle--) speak().catch(() => undefined);
  // By then they have their statements.
  await new Promise(setImmediate);
  const asked = new Map<AskedClient, object>();
  for (const client of [...clients, ...connectingIn(pool)]) {
    const question = questionOf(client);
    if (question) asked.set(client, question);
  }
  await sleep(timeout, undefined, { ref: false });
  const waiting = [...asked].filter(([client, question]) => questionOf(client) === question).map(([client]) => client);
  if (waiting.length === 0) return 0;
  const atWork = await sessionsAtWork(waiting, probe(), timeout);
  const silent = waiting.filter((client) => atWork && !atWork.has(client.processID ?? 0));
  silent.forEach(destroyClient);
  return silent.length;
}

/**
 * Closes the connections that the pool is making now and has not made `timeout` ms later, for a pool that sets no
 * `connectionTimeoutMillis` and would wait for them without end.
 *
 * @returns what to clear when they are of no interest any more.
 * @internal
 */
export function closeUnlessMade(pool: Pool, timeout: number): NodeJS.Timeout | undefined {
  if (pool.options.connectionTimeoutMillis) return undefined;
  const clients = connectingIn(pool);
  if (clients.length === 0) return undefined;
  return setTimeout(() => clients.filter(isConnecting).forEach(destroyClient), timeout).unref();
}

/** What the client waits for: an answer to a statement, or to be let in. */
function questionOf(client: AskedClient): object | undefined {
  return isConnecting(client) ? client : (client._getActiveQuery?.() ?? undefined);
}

function isConnecting({ _connecting, _connected }: AskedClient): boolean {
  return _connecting === true && _connected === false;
}

function connectingIn(pool: Pool): AskedClient[] {
  const { _clients: all = [] } = pool as unknown as { _clients?: AskedClient[] };
  return all.filter(isConnecting);
}

/** Undefined when the server cannot be asked. */
async function sessionsAtWork(
  clients: readonly AskedClient[],
  probe: Client,
  timeout: number,
): Promise<Set<number> | undefined> {
  probe.on('error', () => undefined);
  const ask = async (): Promise<Set<number>> => {
    await probe.connect();
    const pids = clients.map(({ processID }) => processID ?? 0);
    const { rows } = await probe.query<{ pid: number }>(AT_WORK, [pids]);
    return new Set(rows.map(({ pid }) => pid));
  };
  try {
    return await withTimeout(ask(), timeout, () => new PostgresConnectionLostError(new Error('no answer')));
  } catch {
    return undefined;
  } finally {
    destroyClient(probe);
  }
}
