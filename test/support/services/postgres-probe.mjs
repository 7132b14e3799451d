import pg from 'pg';

const PATIENCE = 2_000;

/** Whether the server on the port runs on these data: a foreign one may sit on the port of ours.
 * @param {number} port
 * @param {string} data
 * @returns {Promise<boolean>} */
export async function answersFor(port, data) {
  try {
    const rows = await query(port, `SELECT current_setting('data_directory') AS data`);
    return rows[0]?.data === data;
  } catch {
    return false;
  }
}

/** @param {number} port */
export async function ensureJobsDatabase(port) {
  const rows = await query(port, `SELECT FROM pg_database WHERE datname = 'jobs'`);
  if (rows.length === 0) await query(port, 'CREATE DATABASE jobs');
}

/**
 * @param {number} port
 * @param {string} sql
 * @returns {Promise<Record<string, unknown>[]>}
 */
async function query(port, sql) {
  const server = { host: '127.0.0.1', port, user: 'jobs', database: 'postgres', ssl: false };
  const client = new pg.Client({ ...server, connectionTimeoutMillis: PATIENCE, query_timeout: PATIENCE });
  // Without a listener, a connection that breaks between two answers would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}
