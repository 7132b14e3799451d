/**
 * The worker thread that owns PGlite. In the main thread, Postgres would starve the event loop. This is
 * JavaScript because Node.js cannot load TypeScript as a thread, and Jest runs the sources as they are.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, threadId, workerData } from 'node:worker_threads';

/**
 * @import { MessagePort } from 'node:worker_threads'
 * @import { PGlite, PGliteOptions } from '@electric-sql/pglite'
 * @import { PgliteAnswer, PgliteErrorFields, PgliteMessage, PgliteRequest, PgliteStatement, PgliteThreadData } from './pglite-protocol.js'
 */

/** Object ids of types that the main thread parses from Postgres' text (pglite-values.ts); PGlite parses the others. */
const SENT_AS_TEXT = { bytea: 17, int8: 20, json: 114, date: 1082, timestamp: 1114, timestamptz: 1184, jsonb: 3802 };

/** PGlite's own way takes 70 ms for 256 KB. */
const SERIALIZERS = {
  [SENT_AS_TEXT.bytea]: (/** @type {Uint8Array} */ bytes) =>
    `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`,
};

/** Postgres' own 128 MB are cleared at each start, and never given back. The files are in the system's cache as well. */
const SHARED_BUFFERS = '32MB';

const port = /** @type {MessagePort} */ (parentPort);
const { dataDir, searchPath, template, postgres } = /** @type {PgliteThreadData} */ (workerData);

const opened = await open();
if (opened) serve(opened);

/** @returns {Promise<PGlite | undefined>} */
async function open() {
  try {
    const asText = Object.values(SENT_AS_TEXT).map((type) => [type, (/** @type {string} */ text) => text]);
    const db = await create(Object.fromEntries(asText));
    await db.exec(`SET search_path TO "${searchPath}"`);
    return db;
  } catch (error) {
    const { code, message } = errorFields(error);
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && message.includes('@electric-sql/pglite');
    post({ kind: 'unavailable', reason: isMissing ? 'not-installed' : 'not-opened', message });
    return undefined;
  }
}

/**
 * @param {PGliteOptions['parsers']} parsers
 * @returns {Promise<PGlite>}
 */
async function create(parsers) {
  const { PGlite } = await import('@electric-sql/pglite');
  const startParams = [...PGlite.defaultStartParams, '-c', `shared_buffers=${SHARED_BUFFERS}`];
  /** @type {PGliteOptions} */
  const options = { parsers, serializers: SERIALIZERS, startParams, ...(postgres && { pgliteWasmModule: postgres }) };
  if (template === undefined || existsSync(join(dataDir, 'PG_VERSION'))) return PGlite.create(dataDir, options);
  // Another version may be unable to read it.
  const manifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
  const file = join(template, `pglite-${JSON.parse(readFileSync(manifest, 'utf8')).version}.tar`);
  const files = readIfThere(file);
  if (files) {
    return PGlite.create(dataDir, { ...options, loadDataDir: new Blob([files]) }).catch((error) => {
      throw new Error(`the template ${file} is of no use, and to be deleted: ${errorFields(error).message}`);
    });
  }
  const db = await PGlite.create(dataDir, options);
  await dropTemplates(db);
  await db.exec('CHECKPOINT');
  const dump = await db.dumpDataDir('none');
  mkdirSync(template, { recursive: true });
  // Others may look for it meanwhile.
  const unfinished = `${file}.${process.pid}-${threadId}`;
  writeFileSync(unfinished, Buffer.from(await dump.arrayBuffer()));
  renameSync(unfinished, file);
  return db;
}

/**
 * Those of `CREATE DATABASE`, which nobody calls here: two thirds of the files.
 *
 * @param {PGlite} db
 */
async function dropTemplates(db) {
  await db.exec('UPDATE pg_database SET datistemplate = false');
  for (const name of ['template0', 'template1']) await db.exec(`DROP DATABASE ${name}`);
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** @param {PGlite} db */
function serve(db) {
  // Not db.listen(): PGlite never stops listening on a channel whose name needs quotes.
  db.onNotification((channel, payload) => post({ kind: 'notification', channel, payload }));

  let previous = Promise.resolve();
  port.on('message', (/** @type {PgliteRequest} */ request) => {
    previous = previous.then(() => (request.kind === 'close' ? close(db) : answer(db, request)));
  });
  post({ kind: 'ready' });
}

/** @param {PGlite} db */
async function close(db) {
  await db.close();
  port.close();
}

/**
 * @param {PGlite} db
 * @param {PgliteStatement} statement
 */
async function answer(db, statement) {
  const outcome = await execute(db, statement);
  if (db.isInTransaction() && !statement.mayLeaveTransaction) {
    await db.exec('ROLLBACK');
    const message =
      'nestjs-jobs: a statement left a transaction open, which was rolled back. The embedded database has one session: ' +
      'take a client with connect(), and make BEGIN or START TRANSACTION the first words of a statement.';
    post({ kind: 'failure', id: statement.id, inTransaction: false, error: { message } });
    return;
  }
  post({ ...outcome, inTransaction: db.isInTransaction() });
}

/**
 * @param {PGlite} db
 * @param {PgliteStatement} statement
 * @returns {Promise<PgliteAnswer>}
 */
async function execute(db, { id, text, params }) {
  try {
    const results = params ? [await db.query(text, [...params])] : await db.exec(text);
    const last = results.at(-1);
    if (!last?.command && saysSomething(text)) throw new DatabaseCrash();
    if (results.length > 1 || !last?.command) await ensureAlive(db);
    const columns = (last?.fields ?? []).map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
    const rows = /** @type {Record<string, unknown>[]} */ (last?.rows ?? []);
    return { kind: 'result', id, inTransaction: false, rows, columns, rowCount: last?.rowCount ?? null };
  } catch (thrown) {
    if (thrown instanceof DatabaseCrash) throw thrown;
    const error = errorFields(thrown);
    if (!error.code || error.code.startsWith('XX')) await ensureAlive(db);
    return { kind: 'failure', id, inTransaction: false, error };
  }
}

/** Ends the thread. */
class DatabaseCrash extends Error {
  constructor() {
    super('Postgres crashed in a statement and no longer answers, or not as it should');
  }
}

/**
 * Whether a statement is more than comments, and so has an answer: nothing at all is what PGlite makes of a trap.
 *
 * @param {string} text
 */
function saysSomething(text) {
  return text.replaceAll(/--.*|\/\*[^]*?\*\/|[\s;]/g, '') !== '';
}

/**
 * When WebAssembly traps (on a stack overflow, say), PGlite swallows it and answers that, and most often every later
 * statement, with nothing, as if an INSERT were done. What this throws then ends the thread.
 *
 * @param {PGlite} db
 */
async function ensureAlive(db) {
  const isRefused = (/** @type {unknown} */ error) => errorFields(error).code === '25P02';
  const isAlive = await db.exec('SELECT 1').then(([result]) => result?.command === 'SELECT', isRefused);
  if (!isAlive) throw new DatabaseCrash();
}

/** @param {PgliteMessage} message */
function post(message) {
  port.postMessage(message);
}

/**
 * @param {unknown} thrown
 * @returns {PgliteErrorFields}
 */
function errorFields(thrown) {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { message, code, detail, hint, table, column, constraint, where } =
    /** @type {Error & Partial<PgliteErrorFields>} */ (thrown);
  return { message, code, detail, hint, table, column, constraint, where };
}
