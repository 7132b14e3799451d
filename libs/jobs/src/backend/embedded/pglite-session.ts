import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { MissingPeerError } from '../backend.errors.js';
import { compiledPostgres } from './compiled-postgres.js';
import { EmbeddedBackendStoppedError } from './embedded-backend-stopped.error.js';
import { EmbeddedBackendUnavailableError } from './embedded-backend-unavailable.error.js';
import type {
  PgliteAnswer,
  PgliteMessage,
  PgliteNotification,
  PgliteRequest,
  PgliteStatement,
  PgliteThreadData,
} from './pglite-protocol.js';
// Nothing imports the thread's file as a value; this makes the compiler emit it, also for an app that compiles us.
import type {} from './pglite-thread.js';

/** PGlite may recurse as deep as Postgres allows (`max_stack_depth`) only with more stack than a thread has. */
const STACK_SIZE_IN_MB = 16;

interface Pending {
  readonly resolve: (answer: PgliteAnswer) => void;
  readonly reject: (error: Error) => void;
}

interface PgliteSessionEvents {
  notification: [notification: PgliteNotification];
  /** The thread ended although nobody closed it. */
  stopped: [error: EmbeddedBackendStoppedError];
}

/** @internal */
export interface PgliteSessionOptions extends PgliteThreadData {
  /** @default the `pglite-thread.js` beside this file */
  readonly thread?: URL;
}

/**
 * This side of the thread: posts statements, which the thread runs in the order of the calls, and matches the answers.
 *
 * @internal
 */
export class PgliteSession extends EventEmitter<PgliteSessionEvents> {
  private readonly exited: Promise<void>;
  private readonly pending = new Map<number, Pending>();
  private lastId = 0;
  private isClosing = false;
  private stopped?: EmbeddedBackendStoppedError;

  private constructor(
    private readonly worker: Worker,
    private readonly dataDir: string,
  ) {
    super();
    worker.on('message', (message: PgliteMessage) => this.receive(message));
    worker.once('error', (error) => this.stop(error));
    this.exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.stop(new Error(`its thread ended with exit code ${code}`));
        resolve();
      });
    });
  }

  static async open(options: PgliteSessionOptions): Promise<PgliteSession> {
    const { dataDir, searchPath, template, thread = new URL('./pglite-thread.js', import.meta.url) } = options;
    const postgres = template === undefined ? undefined : await compiledPostgres();
    const workerData: PgliteThreadData = { dataDir, searchPath, template, postgres };
    const resourceLimits = { stackSizeMb: STACK_SIZE_IN_MB };
    const worker = new Worker(thread, { workerData, resourceLimits, name: 'nestjs-jobs-pglite' });
    try {
      await whenReady(worker, dataDir);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    return new PgliteSession(worker, dataDir);
  }

  /** Rejects only when there can be no answer: the thread is gone, or a parameter cannot be sent to it. */
  execute(statement: Omit<PgliteStatement, 'kind' | 'id'>): Promise<PgliteAnswer> {
    if (this.stopped) return Promise.reject(this.stopped);
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.post({ kind: 'statement', id, ...statement });
      this.pending.set(id, { resolve, reject });
    });
  }

  /** Closes the database after the statements before it, and ends the thread. */
  async close(): Promise<void> {
    if (!this.stopped && !this.isClosing) {
      this.isClosing = true;
      this.post({ kind: 'close' });
    }
    await this.exited;
  }

  /** Ends the thread at once, as a crash would. */
  async kill(reason: Error): Promise<void> {
    this.stop(reason);
    await this.worker.terminate();
  }

  private post(request: PgliteRequest): void {
    this.worker.postMessage(request);
  }

  private receive(message: PgliteMessage): void {
    if (message.kind === 'notification') this.emit('notification', message);
    if (message.kind !== 'result' && message.kind !== 'failure') return;
    this.pending.get(message.id)?.resolve(message);
    this.pending.delete(message.id);
  }

  private stop(reason: Error): void {
    if (this.stopped) return;
    this.stopped = new EmbeddedBackendStoppedError(this.dataDir, reason.message, { cause: reason });
    for (const { reject } of this.pending.values()) reject(this.stopped);
    this.pending.clear();
    if (!this.isClosing) this.emit('stopped', this.stopped);
  }
}

function whenReady(worker: Worker, dataDir: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, options?: ErrorOptions) =>
      reject(new EmbeddedBackendUnavailableError(dataDir, reason, options));
    worker.once('message', (message: PgliteMessage) => {
      if (message.kind !== 'unavailable') resolve();
      else if (message.reason === 'not-installed')
        reject(new MissingPeerError('@electric-sql/pglite', 'the embedded backend'));
      else fail(message.message);
    });
    worker.once('error', (error) => fail(error.message, { cause: error }));
    worker.once('exit', (code) => fail(`its thread ended with exit code ${code}`));
  });
}
