import type { PgliteAnswer } from './pglite-protocol.js';
import type { PgliteSession } from './pglite-session.js';

/** Whoever may own the session: one checked-out client. @internal */
export type SessionUser = object;

/** BEGIN or START TRANSACTION as the first words, after comments. */
const BEGINS_TRANSACTION = /^(?:\s|--.*\n|\/\*[^]*?\*\/)*(?:BEGIN|START\s+TRANSACTION)\b/i;

interface Entry {
  readonly text: string;
  readonly params?: readonly unknown[];
  readonly user?: SessionUser;
  readonly resolve: (answer: Promise<PgliteAnswer>) => void;
}

/**
 * Decides whose statement is next in the one session. Statements go to the thread at once, in the order of the calls,
 * unless another user is in a transaction: then they wait, in order, until it has ended.
 *
 * @internal
 */
export class SessionGate {
  private owner?: SessionUser;
  private isInTransaction = false;
  private inFlightOfOwner = 0;
  private inFlight = 0;
  private waiting: Entry[] = [];
  private onIdle: (() => void)[] = [];

  constructor(private readonly session: Pick<PgliteSession, 'execute'>) {}

  execute(text: string, params?: readonly unknown[], user?: SessionUser): Promise<PgliteAnswer> {
    return new Promise((resolve) => {
      const entry: Entry = { text, params, user, resolve };
      if (this.mayStart(entry)) this.start(entry);
      else this.waiting.push(entry);
    });
  }

  /** Whether this user is in a transaction, so that nobody else's statements run. */
  isOwner(user: SessionUser): boolean {
    return this.owner === user;
  }

  /** Rolls back what the user left open, also when its BEGIN still waits. */
  release(user: SessionUser): void {
    if (!this.isOwner(user) && !this.waiting.some((entry) => entry.user === user)) return;
    // When the session is gone, so is the transaction.
    this.execute('ROLLBACK', undefined, user).catch(() => undefined);
  }

  /** Resolves when every statement has its answer and no transaction is open. */
  async whenIdle(): Promise<void> {
    while (this.isBusy()) await new Promise<void>((resolve) => this.onIdle.push(resolve));
  }

  /** To be told when the session is gone: its transaction is too, and what waited for it is rejected. */
  abandon(): void {
    this.isInTransaction = false;
    if (this.inFlightOfOwner === 0) this.passOn();
  }

  private mayStart({ user }: Entry): boolean {
    return !this.owner || this.owner === user;
  }

  private start(entry: Entry): void {
    const { text, params, user } = entry;
    if (user && BEGINS_TRANSACTION.test(text)) this.owner = user;
    const isOwned = user !== undefined && this.isOwner(user);
    this.inFlight++;
    if (isOwned) this.inFlightOfOwner++;

    const answer = this.session.execute({ text, params, mayLeaveTransaction: isOwned });
    answer.then(
      ({ inTransaction }) => this.settle(isOwned, inTransaction),
      () => this.settle(isOwned, this.isInTransaction),
    );
    entry.resolve(answer);
  }

  private settle(isOwned: boolean, isInTransaction: boolean): void {
    this.inFlight--;
    if (isOwned) {
      this.inFlightOfOwner--;
      this.isInTransaction = isInTransaction;
      // A statement of the owner that is still on its way may be its next BEGIN.
      if (this.inFlightOfOwner === 0 && !isInTransaction) this.passOn();
    }
    if (!this.isBusy()) this.onIdle.splice(0).forEach((resolve) => resolve());
  }

  private passOn(): void {
    this.owner = undefined;
    this.isInTransaction = false;
    const entries = this.waiting;
    this.waiting = [];
    for (const entry of entries) {
      if (this.mayStart(entry)) this.start(entry);
      else this.waiting.push(entry);
    }
  }

  private isBusy(): boolean {
    return this.owner !== undefined || this.inFlight > 0;
  }
}
