import pg, { type Pool, type PoolConfig } from 'pg';

/** For log lines: where a Postgres is, as node-postgres would look for it, without secrets. @internal */
export function describeLocation(target: string | PoolConfig | Pool): string {
  const config =
    typeof target === 'object' && 'options' in target && typeof target.options === 'object' ? target.options : target;
  const { host, port, database } = new pg.Client(config as string | PoolConfig);
  return `Postgres at ${host}:${port}/${database}`;
}
