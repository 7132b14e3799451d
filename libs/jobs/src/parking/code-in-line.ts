import { Inject, Injectable, Logger } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { Line, TakeOptions, Waiting } from '../backend/lines.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { JobsClient } from '../client/jobs-client.js';
import { CodeWaiters } from './code-waiters.js';
import type { HeldPlace } from './held-place.js';
import { Parking } from './parking.js';

/** How long (ms) code that waits does not ask whether it is its turn, at least. */
const SOONEST_LOOK = 20;

/** How code stands in a line. @internal */
export interface CodeWaits {
  readonly ttl: number;
  /** Milliseconds; undefined is without end. */
  readonly maxWait: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What the store said of it at last. @internal */
export interface LastAnswer<Answer> {
  readonly answer: Answer;
  /** Under which it stood in the line. */
  readonly id: string;
  /** When (monotonic, ms) it was asked. */
  readonly askedAt: number;
}

interface Answered {
  readonly kind: string;
  readonly wake: readonly string[];
}

/** Has code that is no job stand in a line: it waits where it is, in its own time. @internal */
@Injectable()
export class CodeInLine {
  private readonly logger = new Logger('Jobs');

  constructor(
    private readonly client: JobsClient,
    private readonly parking: Parking,
    private readonly code: CodeWaiters,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /**
   * Asks for a place until there is another answer than that it has to wait, and leaves the line when it waits no more.
   *
   * @param ask - asks the store; the id is of this one call.
   * @returns undefined when `maxWait` is over.
   * @throws the reason of `signal`; {@link BackendUnavailableError}.
   */
  async untilAnswered<Answer extends Answered>(
    line: Line,
    { ttl, maxWait, signal }: CodeWaits,
    ask: (id: string, options: TakeOptions) => Promise<Answer | Waiting>,
  ): Promise<LastAnswer<Exclude<Answer, Waiting>> | undefined> {
    const waiter = this.code.enter();
    const { id } = waiter;
    const deadline = maxWait === undefined ? Infinity : performance.now() + maxWait;
    let stands = false;
    try {
      for (let turn: number | undefined; ;) {
        signal?.throwIfAborted();
        const askedAt = performance.now();
        stands = true;
        const options = { ttl, stand: true, ...(turn !== undefined && { turn }) };
        const answer = await this.ask(line, id, () => ask(id, options));
        if (isWaiting(answer)) {
          ({ turn } = answer);
          const left = deadline - performance.now();
          if (left <= 0) return undefined;
          const lookAgain = this.code.listen();
          // Not longer than until a place of a dead one is free.
          const freeIn = Math.max(answer.freeIn + 1, SOONEST_LOOK);
          await waiter.untilCalled(Math.ceil(Math.min(freeIn, lookAgain, left)), signal);
          continue;
        }
        // The answer took so long that another one may have the place.
        if (performance.now() - askedAt >= ttl) continue;
        stands = false;
        return { answer: answer as Exclude<Answer, Waiting>, id, askedAt };
      }
    } finally {
      this.code.leave(waiter);
      if (stands) await this.leave(line, id);
    }
  }

  async free(place: HeldPlace): Promise<void> {
    place.letGo();
    try {
      await this.client.reach(() => this.parking.free(place));
    } catch (error) {
      // It goes on trying; whoever waits here need not.
      this.logger.debug(`Could not give up ${place.line.name} yet: ${(error as Error).message}`);
      void this.parking.free(place);
    }
  }

  private async ask<Answer extends Answered>(line: Line, id: string, work: () => Promise<Answer>): Promise<Answer> {
    let asked: Promise<Answer> | undefined;
    try {
      const answer = await this.client.reach(() => (asked = work()));
      void this.parking.wake(answer.wake);
      return answer;
    } catch (error) {
      // When the answer comes after all, it may be that the place is ours.
      void asked?.then(
        async ({ wake }) => {
          await this.parking.wake(wake);
          await this.leave(line, id);
        },
        () => undefined,
      );
      throw error;
    }
  }

  private async leave(line: Line, id: string): Promise<void> {
    try {
      // With a place that it may have been given in an answer which was lost: the id is of this one call.
      await this.client.reach(async () => this.parking.wake(await this.backend.lines.leave(line, id, true)));
    } catch (error) {
      this.logger.debug(`Could not leave the line ${line.name}: ${(error as Error).message}`);
    }
  }
}

function isWaiting(answer: Answered): answer is Waiting {
  return answer.kind === 'waits';
}
