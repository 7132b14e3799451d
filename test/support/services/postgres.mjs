import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dieWithParent } from './die-with-parent.mjs';
import { freePort } from './free-port.mjs';
import { requirePostgres } from './postgres-binaries.mjs';
import { prepareCluster, releaseSharedMemory } from './postgres-cluster.mjs';
import { answersFor, ensureJobsDatabase } from './postgres-probe.mjs';
import { killIfThere, processesShowing } from './processes.mjs';
import { serverAccount } from './server-account.mjs';

const BOOT_TIMEOUT = 30_000;
const STOP_TIMEOUT = 10_000;
const PORT_TRIES = 5;
const LOG_SHOWN = 4_000;
const PORT_TAKEN = /could not bind/;
const STILL_HELD = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

/**
 * @typedef {object} PostgresOptions
 * @property {number} [port] a free one by default
 * @property {boolean} [durable] a commit is on disk before it is answered, so that it survives `kill()`; default false
 * @property {string} [dir] where the data and the log live; by default a temporary directory that `stop()` removes
 */

/** Starts a Postgres of our own, with the database `jobs`. It ends with this process, whatever this process dies of.
 * @param {PostgresOptions} [options]
 * @returns {Promise<PostgresService>} */
export async function startPostgres({ port, durable = false, dir } = {}) {
  const host = { ...(await requirePostgres()), account: serverAccount() };
  for (let attempt = 1; ; attempt++) {
    const service = new PostgresService(host, port ?? (await freePort()), durable, dir);
    try {
      await service.restart();
      return service;
    } catch (error) {
      await service.stop();
      const portWasTaken = error instanceof Error && PORT_TAKEN.test(error.message);
      if (port !== undefined || !portWasTaken || attempt === PORT_TRIES) throw error;
    }
  }
}

/** @typedef {{ postgres: string, initdb: string, account: import('./server-account.mjs').Account }} Host */

export class PostgresService {
  /** Every process of the server shows it in its title. */
  #cluster = `nestjs-jobs-${randomUUID()}`;
  #host;
  #durable;
  #dir;
  #ownsDir;
  #data;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #postmaster;
  /** Settles when the postmaster and all its children have ended.
   * @type {Promise<unknown>} */
  #gone = Promise.resolve();

  /**
   * @param {Host} host
   * @param {number} port
   * @param {boolean} durable
   * @param {string | undefined} dir
   */
  constructor(host, port, durable, dir) {
    this.#host = host;
    this.#durable = durable;
    this.#ownsDir = dir === undefined;
    this.#dir = resolve(dir ?? mkdtempSync(join(tmpdir(), 'nestjs-jobs-postgres-')));
    this.#data = join(this.#dir, 'data');
    this.logFile = join(this.#dir, 'postgres.log');
    this.port = port;
    this.url = `postgres://jobs@127.0.0.1:${port}/jobs`;
  }

  /** The process id of the postmaster. */
  get pid() {
    if (this.#postmaster?.pid === undefined) throw new Error(`the Postgres on port ${this.port} is not running`);
    return this.#postmaster.pid;
  }

  /** Kills the server if it runs and starts it again on the same port and directory. */
  async restart() {
    await this.kill();
    await prepareCluster({ ...this.#host, directory: this.#dir, temporary: this.#ownsDir });
    const deadline = Date.now() + BOOT_TIMEOUT;
    let logOfBoot = this.#spawn();
    while (!(await answersFor(this.port, this.#data))) {
      if (Date.now() > deadline) throw new Error(`Postgres did not answer in ${BOOT_TIMEOUT} ms:\n${logOfBoot()}`);
      if (this.#postmaster === undefined) {
        await this.#gone;
        // What a former process held on this directory is free only when its last child has ended.
        if (!STILL_HELD.test(logOfBoot())) throw new Error(`Postgres ended at boot:\n${logOfBoot()}`);
        logOfBoot = this.#spawn();
      }
      await pause(50);
    }
    await ensureJobsDatabase(this.port);
  }

  /** SIGKILL for the postmaster and all its children: what was not on disk is lost. `restart()` brings it back. */
  async kill() {
    // Stopped, it starts no child while we look for them. A busy child would outlive it and hold the data.
    this.#postmaster?.kill('SIGSTOP');
    for (const pid of processesShowing(this.#cluster)) killIfThere(pid);
    this.#postmaster?.kill('SIGKILL');
    await this.#gone;
  }

  /** Ends the server, whatever its clients do, and removes its temporary directory. */
  async stop() {
    this.#postmaster?.kill('SIGINT');
    // A stopped (SIGSTOP) server keeps SIGINT pending for ever.
    const impatience = setTimeout(() => void this.kill(), STOP_TIMEOUT);
    await this.#gone;
    clearTimeout(impatience);
    if (!this.#ownsDir) return;
    releaseSharedMemory(this.#data);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** @returns {() => string} the end of what the server has logged since */
  #spawn() {
    const logged = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    const log = openSync(this.logFile, 'a');
    const settings = Object.entries(this.#settings()).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // A session of its own: Ctrl-C must reach the tests first, while their Postgres still answers.
    const child = spawn(this.#host.postgres, ['-D', this.#data, ...settings], {
      ...this.#host.account,
      cwd: this.#dir,
      env: { ...process.env, LC_ALL: 'C' },
      detached: true,
      // Nothing is written to the pipe. Its end tells that the last child has ended, for they all inherit it.
      stdio: ['ignore', 'pipe', log],
    });
    closeSync(log);
    this.#postmaster = child;
    /** @type {unknown} */
    let spawnError = '';
    // SIGQUIT: the postmaster ends its children too, of which a busy one would outlive it, and frees its shared memory.
    const directory = this.#ownsDir ? this.#dir : undefined;
    const release = child.pid === undefined ? () => {} : dieWithParent({ pid: child.pid, directory, notice: 'QUIT' });
    const ended = () => {
      release();
      if (this.#postmaster === child) this.#postmaster = undefined;
    };
    child.once('exit', ended);
    child.stdout?.resume();
    this.#gone = new Promise((settle) => {
      child.once('close', settle);
      child.once('error', (error) => {
        spawnError = error;
        ended();
        settle(undefined);
      });
    });
    return () => (readFileSync(this.logFile).toString('utf8', logged) + String(spawnError)).slice(-LOG_SHOWN);
  }

  #settings() {
    const durability = this.#durable ? 'on' : 'off';
    return {
      cluster_name: this.#cluster,
      listen_addresses: '127.0.0.1',
      port: this.port,
      // The path of a socket may have 107 characters at most, which a temporary directory can exceed.
      unix_socket_directories: '',
      // In the directory, so that a killed server leaves nothing in /dev/shm.
      dynamic_shared_memory_type: 'mmap',
      max_connections: 300,
      fsync: durability,
      synchronous_commit: durability,
      full_page_writes: durability,
    };
  }
}
