import type { Ledger } from '../backend/ledger.js';
import { PROCESSES } from '../fleet/process-record.js';

const COLLECTION = 'metrics';
const EXPORTER = 'exporter';
/** Whoever is not scraped for so long (ms) leaves it to others. */
const CLAIMED_FOR = 5 * 60_000;
/** Of those who find that a process is dead one takes over; for so long (ms) no other one tries. */
const SUCCESSION = 30_000;

/**
 * Has one process of the fleet tell what the whole fleet has, so that sums over all processes are right. It is one that is
 * scraped, and as long as it is.
 *
 * A process that was frozen may find itself replaced only when it is asked next: until then two may have told, for one
 * scrape.
 *
 * @internal
 */
export class FleetExporter {
  /** @param id - of this process, under which it is among the live ones. */
  constructor(
    private readonly ledger: Ledger,
    private readonly id: string,
  ) {}

  /** Asked at each scrape. */
  async isThisProcess(): Promise<boolean> {
    const { ledger, id } = this;
    const holder = await this.holder();
    if (holder === id) {
      await ledger.put(COLLECTION, EXPORTER, { process: id }, CLAIMED_FOR);
      return true;
    }
    if (holder !== undefined && (await this.isAlive(holder))) return false;
    // Not announced yet, it would be taken for dead itself.
    return (await this.isAlive(id)) && this.claim(holder);
  }

  /** Others may have it at once. */
  async release(): Promise<void> {
    if ((await this.holder()) === this.id) await this.ledger.delete(COLLECTION, EXPORTER);
  }

  /** @param dead - who had it before. */
  private async claim(dead: string | undefined): Promise<boolean> {
    const { ledger, id } = this;
    const claim = { process: id };
    if (dead === undefined) return (await ledger.putIfAbsent(COLLECTION, EXPORTER, claim, CLAIMED_FOR)) === undefined;
    if (await ledger.putIfAbsent(COLLECTION, `after ${dead}`, claim, SUCCESSION)) return false;
    await ledger.put(COLLECTION, EXPORTER, claim, CLAIMED_FOR);
    return true;
  }

  private async holder(): Promise<string | undefined> {
    const record = await this.ledger.get(COLLECTION, EXPORTER);
    return (record?.value as { process: string } | undefined)?.process;
  }

  private async isAlive(process: string): Promise<boolean> {
    const record = await this.ledger.get(PROCESSES, process);
    // One that drains has stopped telling.
    return record !== undefined && (record.value as { draining?: boolean }).draining !== true;
  }
}
