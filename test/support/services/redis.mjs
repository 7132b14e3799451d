import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dieWithParent } from './die-with-parent.mjs';
import { freePort } from './free-port.mjs';
import { requireRedisServer } from './redis-binary.mjs';

const BOOT_TIMEOUT = 15_000;
const PORT_TRIES = 5;

/**
 * @typedef {object} RedisOptions
 * @property {number} [port] a free one by default
 * @property {boolean} [appendonly] write every command to disk before answering, so that it survives `kill()`; default false
 * @property {string} [dir] where the data lives; by default a temporary directory that `stop()` removes
 */

/** Starts a redis-server of our own. It ends with this process, whatever this process dies of.
 * @param {RedisOptions} [options]
 * @returns {Promise<RedisService>} */
export async function startRedis({ port, appendonly = false, dir } = {}) {
  const binary = await requireRedisServer();
  for (let attempt = 1; ; attempt++) {
    const service = new RedisService(binary, port ?? (await freePort()), appendonly, dir);
    try {
      await service.restart();
      return service;
    } catch (error) {
      await service.stop();
      const portWasTaken = error instanceof Error && error.message.includes('bind');
      if (port !== undefined || !portWasTaken || attempt === PORT_TRIES) throw error;
    }
  }
}

export class RedisService {
  #binary;
  #appendonly;
  #dir;
  #ownsDir;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;

  /**
   * @param {string} binary
   * @param {number} port
   * @param {boolean} appendonly
   * @param {string | undefined} dir
   */
  constructor(binary, port, appendonly, dir) {
    this.#binary = binary;
    this.#appendonly = appendonly;
    this.#ownsDir = dir === undefined;
    this.#dir = dir ?? mkdtempSync(join(tmpdir(), 'nestjs-jobs-redis-'));
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  get pid() {
    if (this.#process?.pid === undefined) throw new Error(`the redis-server on port ${this.port} is not running`);
    return this.#process.pid;
  }

  /** Kills the server if it runs and starts it again on the same port and directory. */
  async restart() {
    await this.kill();
    const output = this.#spawn();
    const child = this.#process;
    const deadline = Date.now() + BOOT_TIMEOUT;
    while (!(await answersPing(this.port, child))) {
      if (this.#process !== child) throw new Error(`redis-server ended at boot:\n${output.join('')}`);
      if (Date.now() > deadline)
        throw new Error(`redis-server did not answer in ${BOOT_TIMEOUT} ms:\n${output.join('')}`);
      await pause(20);
    }
  }

  /** SIGKILL: what was not on disk is lost. `restart()` brings the server back. */
  kill() {
    return this.#end('SIGKILL');
  }

  /** Ends the server and removes its temporary directory. */
  async stop() {
    await this.#end('SIGTERM');
    if (this.#ownsDir) rmSync(this.#dir, { recursive: true, force: true });
  }

  #spawn() {
    const durable = this.#appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
    const settings = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#dir, '--save', '', ...durable];
    const quiet = ['--maxmemory-policy', 'noeviction', '--loglevel', 'warning', '--daemonize', 'no'];
    // A session of its own: Ctrl-C must reach the tests first, while their Redis still answers.
    const child = spawn(this.#binary, [...settings, ...quiet], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    /** @type {string[]} */
    const output = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => output.push(text));
    }
    const directory = this.#ownsDir ? this.#dir : undefined;
    const release = child.pid === undefined ? () => {} : dieWithParent({ pid: child.pid, directory });
    const ended = () => {
      release();
      if (this.#process === child) this.#process = undefined;
    };
    child.once('exit', ended);
    child.once('error', (error) => {
      output.push(error.message);
      ended();
    });
    return output;
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const child = this.#process;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    // A stopped (SIGSTOP) server keeps SIGTERM pending for ever.
    const impatience = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(impatience);
  }
}

/** Polls the socket: another process coming up gives no event. Asks for the process id as well, because a foreign
 * server may sit on our port, and a server that still reads its file answers `-LOADING`.
 * @param {number} port
 * @param {import('node:child_process').ChildProcess | undefined} child
 * @returns {Promise<boolean>} */
function answersPing(port, child) {
  if (child?.exitCode !== null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 }, () => socket.write('PING\r\nINFO server\r\n'));
    const settle = (/** @type {boolean} */ answered) => {
      socket.destroy();
      resolve(answered);
    };
    let reply = '';
    socket.setEncoding('utf8').on('data', (text) => {
      reply += text;
      const from = /\bprocess_id:(\d+)\r/.exec(reply)?.[1];
      if (from !== undefined) settle(reply.startsWith('+PONG') && Number(from) === child.pid);
    });
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
