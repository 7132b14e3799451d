import { createHash } from 'node:crypto';
import type { Ledger, LedgerValue } from '../backend/ledger.js';
import type { JobsClient } from '../client/jobs-client.js';
import type { Counted } from './counted.js';
import type { Figures } from './figures.js';

const COLLECTION = 'figures';
/** For how long (ms) what was counted is kept for others. */
const KEPT_FOR = 5 * 60_000;
/** What a process that died has claimed to count, others count after so long (ms). */
const CLAIMED_FOR = 30_000;

interface FiguresRecord extends Figures {
  readonly took: number;
}

/** What one process has counted, for all of the fleet. @internal */
export class SharedFigures {
  private readonly key: string;

  /** @param of - what is counted, in words: those who count the same share it. */
  constructor(
    private readonly ledger: Ledger,
    private readonly client: JobsClient,
    of: string,
  ) {
    this.key = createHash('sha256').update(of).digest('base64url');
  }

  /**
   * @param known - what this process has already. Clocks differ, and what it knows longer than it would be old is as old as
   * it knows.
   */
  async find(known: Counted | undefined): Promise<Counted | undefined> {
    const record = await this.client.reach(() => this.ledger.get(COLLECTION, this.key));
    if (!record) return undefined;
    const { took, ...figures } = record.value as unknown as FiguresRecord;
    if (known?.figures.at === figures.at) return known;
    return { figures, took, seen: performance.now(), ageThen: Math.max(0, Date.now() - figures.at) };
  }

  async publish({ figures, took }: Counted): Promise<void> {
    const record: FiguresRecord = { ...figures, took };
    const put = (): Promise<void> => this.ledger.put(COLLECTION, this.key, record as unknown as LedgerValue, KEPT_FOR);
    // Whoever counted has it all the same.
    await this.client.reach(put).catch(() => undefined);
  }

  /** Whether this process is the one that counts. */
  async claim(): Promise<boolean> {
    const claim = (): Promise<unknown> => this.ledger.putIfAbsent(COLLECTION, this.claimKey, process.pid, CLAIMED_FOR);
    return (await this.client.reach(claim)) === undefined;
  }

  async release(): Promise<void> {
    await this.client.reach(() => this.ledger.delete(COLLECTION, this.claimKey)).catch(() => undefined);
  }

  private get claimKey(): string {
    return `${this.key}-claim`;
  }
}
