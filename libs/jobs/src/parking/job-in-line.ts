import type { Holding, Line, Lines, TakeOptions, Waiting } from '../backend/lines.js';
import type { Waits } from '../client/envelope.js';
import type { AttemptGate } from '../execution/attempt-gate.js';
import { Park, Skip } from '../execution/control-exceptions.js';
import type { JobContext } from '../execution/job-context.js';
import { HeldPlace } from './held-place.js';
import type { Parking } from './parking.js';

/** What a job does that finds no place free. @internal */
export interface WhenBusy {
  readonly onBusy: 'wait' | 'skip' | 'fail';
  /** Milliseconds for which it waits at most, parked. */
  readonly maxWait: number | undefined;
}

/** How a place is asked for. @internal */
export interface Asking<Answer> extends WhenBusy {
  readonly ttl: number;
  readonly ask: (options: TakeOptions) => Promise<Holding | Waiting | Answer>;
  /** Why the job is skipped that finds none free. */
  readonly isBusy: string;
  /** Why it fails. */
  readonly busy: () => Error;
  /** Why the signal of a job is aborted that has lost its place. */
  readonly lost: (fencingToken: number) => Error;
}

/** An answer in the place of a place. */
interface OtherAnswer {
  readonly kind: string;
  readonly wake: readonly string[];
}

/** A job before a line: it has its turn there, over all the times that it is fetched and parked again. @internal */
export class JobInLine {
  private readonly before: Waits | undefined;
  private readonly since: number;
  private readonly gate: AttemptGate;

  constructor(
    readonly line: Line,
    private readonly kind: 'lock' | 'idempotency',
    private readonly key: string,
    private readonly job: JobContext,
    private readonly parking: Parking,
    private readonly lines: Lines,
  ) {
    this.gate = job.gate;
    const { waited } = this.gate;
    this.before = waited?.line?.name === line.name ? waited : undefined;
    this.since = this.before?.since ?? Date.now();
  }

  /**
   * Asks for a place.
   *
   * @throws {Park} to step out of the slot until it is the job's turn; what `asking` says for a job that does not wait.
   */
  async take<Answer extends OtherAnswer = never>(asking: Asking<Answer>): Promise<HeldPlace | Answer> {
    const { ttl } = asking;
    const options = { ttl, stand: asking.onBusy === 'wait', ...this.turn };
    for (;;) {
      let askedAt = 0;
      const answer = await this.gate.ask(() => {
        askedAt = performance.now();
        return asking.ask(options);
      });
      if (answer.wake.length > 0) void this.parking.wake(answer.wake);
      if (isWaiting(answer)) throw await this.toThrow(answer, asking);
      if (!isHolding(answer)) return answer;
      // Unless it took so long that another one may have it.
      if (performance.now() - askedAt < ttl) return this.held(answer, askedAt, asking);
    }
  }

  private get id(): string {
    return this.gate.job.id!;
  }

  private get turn(): { readonly turn?: number } {
    const turn = this.before?.line?.turn;
    return turn === undefined ? {} : { turn };
  }

  private held<Answer>({ fencingToken }: Holding, askedAt: number, { ttl, lost }: Asking<Answer>): HeldPlace {
    const { lines, line, id, job } = this;
    // Code that its hard time limit left running has nobody who wants it to go on.
    const isWanted = (): boolean => !job.ended;
    const place = new HeldPlace({ lines, line, id, fencingToken, ttl, askedAt, isWanted });
    const lose = (): void => job.abort(lost(fencingToken));
    place.onLost = lose;
    return place;
  }

  private async toThrow<Answer>(waiting: Waiting, asking: Asking<Answer>): Promise<Error> {
    const { onBusy, maxWait } = asking;
    const stands = onBusy === 'wait';
    if (stands && !this.hasWaited(maxWait)) return this.park(waiting, maxWait);
    // It may stand there since before a deploy.
    if (stands || this.before) await this.leave();
    return onBusy === 'skip' ? new Skip(asking.isBusy) : asking.busy();
  }

  private hasWaited(maxWait: number | undefined): boolean {
    return maxWait !== undefined && Date.now() >= this.since + maxWait;
  }

  private park(waiting: Waiting, maxWait: number | undefined): Park {
    const { line, id, lines, kind, key, since } = this;
    const lookAgain = this.parking.lookAgainAt(waiting, line);
    const until = maxWait === undefined ? lookAgain : Math.min(lookAgain, since + maxWait);
    const standing = { name: line.name, places: line.places, turn: waiting.turn! };
    return new Park(
      {
        kind: 'parked',
        waits: { for: kind, key, since, until, line: standing },
        until,
        isCalled: () => lines.isCalled(line, id),
        passed: this.gate.passed,
      },
      () => this.leave(),
    );
  }

  private async leave(): Promise<void> {
    await this.gate.insist(async () => this.parking.wake(await this.lines.leave(this.line, this.id)));
  }
}

function isWaiting(answer: OtherAnswer): answer is Waiting {
  return answer.kind === 'waits';
}

function isHolding(answer: OtherAnswer): answer is Holding {
  return answer.kind === 'holds';
}
