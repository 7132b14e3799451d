import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import type { ChaosSettings } from './chaos-tasks.js';

export const SETTINGS_VARIABLE = 'CHAOS_SETTINGS';
const STOP_TIMEOUT = 10_000;

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
}

/** Worker processes in numbered slots. What dies in a slot is replaced, as a supervisor would. */
export class Fleet {
  /** How often a process ended by a signal and was replaced. */
  deaths = 0;
  /** Of each process that ended without having been killed, what it ended with. */
  readonly endedByThemselves: string[] = [];
  private readonly slots: WorkerProcess[];
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
    for (const { child } of this.slots) {
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
    for (const { child } of this.slots) child.kill('SIGKILL');
  };

  private start(slot: number): WorkerProcess {
    const child = fork(this.module, {
      // The flags of the runner, which may be Jest, are not for workers.
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '', [SETTINGS_VARIABLE]: JSON.stringify(this.settings) },
      stdio: ['ignore', this.log, this.log, 'ipc'],
    });
    const exited = once(child, 'exit').then(([code, signal]: unknown[]) => {
      if (this.isStopping) return;
      if (signal === null) this.endedByThemselves.push(`exit code ${String(code)}`);
      else this.deaths++;
      this.slots[slot] = this.start(slot);
    });
    const ready = once(child, 'message').then(() => {});
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
