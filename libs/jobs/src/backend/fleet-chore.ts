import type { QueueBackend } from './queue-backend.js';
import { settlesWithin, succeedsWithin } from './with-timeout.js';

/** Of the interval: less than all of it, or the claim of one turn would still stand at the next. */
const CLAIM = 0.9;

/** @internal */
export interface FleetChoreSettings {
  /** Of the ledger, where the process whose turn it is says so. */
  readonly collection: string;
  readonly key: string;
  /** Between two turns, of whichever process: milliseconds. */
  readonly interval: number;
  /** A turn that fails is made up for by the next. */
  readonly onFailure: (error: Error) => void;
}

/**
 * What one process of the fleet does in each interval, whichever it is. Two may do it at a time, when one takes longer
 * than its interval, and it must do no harm.
 *
 * @internal
 */
export class FleetChore {
  private timer: NodeJS.Timeout | undefined;
  private turn: Promise<void> = Promise.resolve();
  private isBusy = false;
  /** Milliseconds. What never answers a turn must not be the end of them. */
  private readonly longest = 3_600_000;
  private stopped = false;

  constructor(
    private readonly backend: QueueBackend,
    private readonly settings: FleetChoreSettings,
    private readonly work: () => Promise<unknown>,
  ) {}

  /** Work that has several steps asks before each. */
  get isStopped(): boolean {
    return this.stopped;
  }

  /** The first turn is an interval later, unless `begin` is called as well. */
  start(): void {
    // Closed while it still booted: what began now would never be stopped.
    if (!this.stopped) this.timer = setInterval(() => this.begin(), this.settings.interval).unref();
  }

  begin(): void {
    if (this.isBusy || this.stopped) return;
    this.isBusy = true;
    this.turn = this.takeTurn().catch((error: Error) => this.settings.onFailure(error));
    void succeedsWithin(this.longest, this.turn).then(() => (this.isBusy = false));
  }

  /** Waits for up to `timeout` ms for the turn that it has. */
  async stop(timeout: number): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await settlesWithin(timeout, this.turn);
  }

  /** For work that takes long: the others need not begin. */
  async goOn(): Promise<void> {
    const { collection, key, interval } = this.settings;
    await this.backend.ledger.put(collection, key, process.pid, interval * CLAIM);
  }

  private async takeTurn(): Promise<void> {
    const { collection, key, interval } = this.settings;
    await this.backend.whenReady(interval);
    if (await this.backend.ledger.putIfAbsent(collection, key, process.pid, interval * CLAIM)) return;
    await this.work();
  }
}
