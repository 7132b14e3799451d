/** The attempts that ended between two looks, as far as the store has not answered to that. @internal */
export interface EndsOfOneLook {
  /** How many of them it has not answered to. */
  readonly unanswered: number;
  /** When (ms since the epoch) the first of these was told, or earlier. */
  readonly since: number;
}

class OneLook implements EndsOfOneLook {
  since = 0;
  unanswered = 0;
  looks = 0;
  readonly answered = (): void => void this.unanswered--;
}

/** Tells how long the store has not answered to the end of an attempt, at the price of one promise for each. @internal */
export class UnansweredEnds {
  private current = new OneLook();
  private older: OneLook[] = [];

  /** A refusal is an answer. */
  add(told: Promise<unknown>): void {
    const { current } = this;
    if (current.unanswered++ === 0) current.since = Date.now();
    told.then(current.answered, current.answered);
  }

  get areUnanswered(): boolean {
    return this.current.unanswered > 0 || this.older.some(({ unanswered }) => unanswered > 0);
  }

  /** Those that were not answered at this many looks in a row, this one being the last of them. */
  look(looks: number): EndsOfOneLook | undefined {
    if (this.current.unanswered > 0) {
      this.older.push(this.current);
      this.current = new OneLook();
    }
    this.older = this.older.filter(({ unanswered }) => unanswered > 0);
    for (const look of this.older) look.looks++;
    return this.older.find((look) => look.looks >= looks);
  }

  /** Those that are not answered yet have that many looks before them again. */
  beginAnew(): void {
    for (const look of this.older) look.looks = 0;
  }
}
