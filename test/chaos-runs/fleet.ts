import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import type { ChaosSettings } from './chaos-module.js';
import { clock } from './ledger.js';

export const SETTINGS_VARIABLE = 'CHAOS_SETTINGS';
export const SLOT_VARIABLE = 'CHAOS_SLOT';
const STOP_TIMEOUT = 10_000;

/** What a worker process says when it works. */
export interface ReadyMessage {
  /** Where it answers `GET /health`, when it does. */
  readonly health: string | null;
}

/** How a process ended that was told to. */
export interface ProcessEnd {
  readonly pid: number;
  /** As in the ledger. */
  readonly toldAt: number;
  readonly endedAt: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exited: Promise<Pick<ProcessEnd, 'code' | 'signal'>>;
}

/** Worker processes in numbered slots. What dies in a slot is replaced, as a supervisor would. */
export class Fleet {
  /** How often a process ended by a signal and was replaced. */
  deaths = 0;
  /** Of each process that ended without having been killed, what it ended with. */
  readonly endedByThemselves: string[] = [];
  /** Where the process answers that was the last to begin to serve it. */
  healthUrl: string | null = null;
  private readonly slots: WorkerProcess[];
  private readonly alive = new Set<ChildProcess>();
  private readonly log: number;
  private isStopping = false;

  /** @param module what a process runs: `worker.ts`, built */
  constructor(
    private readonly module: URL,
    private readonly settings: ChaosSettings,
    size: number,
    logFile: string,
  ) {
    this.log = openSync(logFile, 'a');
    this.slots = Array.from({ length: size }, (_, slot) => this.start(slot));
    process.once('exit', this.killAll);
  }

  async whenAllReady(): Promise<void> {
    await Promise.all(this.slots.map(({ ready }) => ready));
  }

  /** Resolves when the process that is in the slot then works. */
  async whenReady(slot: number): Promise<void> {
    await this.slots[slot]!.ready;
  }

  async kill(slot: number): Promise<void> {
    const { child, exited } = this.slots[slot]!;
    child.kill('SIGKILL');
    await exited;
  }

  /**
   * Ends the process in the slot by SIGTERM and has another one there: `new first`, the other works before this one is
   * told to end.
   */
  async replace(slot: number, order: 'new first' | 'old first'): Promise<ProcessEnd> {
    const { child, exited } = this.slots[slot]!;
    if (order === 'new first') {
      this.slots[slot] = this.start(slot);
      await this.whenReady(slot);
    }
    const toldAt = clock();
    child.kill('SIGTERM');
    const end = await exited;
    const endedAt = clock();
    await this.whenReady(slot);
    return { pid: child.pid!, toldAt, endedAt, ...end };
  }

  get pids(): number[] {
    return this.slots.map(({ child }) => child.pid!);
  }

  pidIn(slot: number): number {
    return this.slots[slot]!.child.pid!;
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    this.slots[this.slotOf(pid)]!.child.kill(signal);
  }

  /** Frozen, a process gets it once it runs again. */
  tell(message: string, pid?: number): void {
    for (const { child } of this.slots) if ((pid ?? child.pid) === child.pid && child.connected) child.send(message);
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    for (const child of this.alive) {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
    }
    const impatience = setTimeout(this.killAll, STOP_TIMEOUT);
    await Promise.all(this.slots.map(({ exited }) => exited));
    clearTimeout(impatience);
    process.removeListener('exit', this.killAll);
  }

  private slotOf(pid: number): number {
    const slot = this.slots.findIndex(({ child }) => child.pid === pid);
    if (slot < 0) throw new Error(`the process ${pid} has died meanwhile`);
    return slot;
  }

  private readonly killAll = (): void => {
    for (const child of this.alive) child.kill('SIGKILL');
  };

  private start(slot: number): WorkerProcess {
    const child = fork(this.module, {
      // The flags of the runner, which may be Jest, are not for workers.
      execArgv: [],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        [SETTINGS_VARIABLE]: JSON.stringify(this.settings),
        [SLOT_VARIABLE]: `${slot}`,
      },
      stdio: ['ignore', this.log, this.log, 'ipc'],
    });
    this.alive.add(child);
    const exited = once(child, 'exit').then((end: unknown[]) => {
      const [code, signal] = end as [number | null, NodeJS.Signals | null];
      this.alive.delete(child);
      if (this.isStopping) return { code, signal };
      if (signal === null) this.endedByThemselves.push(`exit code ${String(code)}`);
      else this.deaths++;
      if (this.slots[slot]?.child === child) this.slots[slot] = this.start(slot);
      return { code, signal };
    });
    const ready = once(child, 'message').then(([message]: unknown[]) => {
      const { health } = message as ReadyMessage;
      if (health !== null) this.healthUrl = health;
    });
    const endedFirst = exited.then(() => {
      // Looked at only by who waits for it; a process that cannot boot must not be waited for without end.
      throw new Error(`a worker process ended before it was ready: ${this.endedByThemselves.at(-1) ?? 'killed'}`);
    });
    const readyOrEnded = Promise.race([ready, endedFirst]);
    readyOrEnded.catch(() => {});
    endedFirst.catch(() => {});
    return { child, ready: readyOrEnded, exited };
  }
}
