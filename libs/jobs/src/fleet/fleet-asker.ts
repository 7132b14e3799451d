import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { ChannelSubscription } from '../backend/fleet-messages.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { settlesWithin } from '../backend/with-timeout.js';
import { invalidArgument, requireDuration } from '../client/invalid-argument.error.js';
import type { Duration } from '../options/jobs-options.js';
import {
  answersTo,
  isConcurrency,
  MOST_CONCURRENCY,
  QUESTIONS,
  readAnswer,
  type FleetAnswer,
  type FleetOrder,
} from './fleet-channel.js';
import { FleetProcesses } from './fleet-processes.js';
import type { ConcurrencyOptions, FleetProcess, Pong } from './fleet-types.js';
import { ProcessNotAnsweringError, ProcessRefusedError } from './fleet.errors.js';
import type { ProcessRecord } from './process-record.js';

const PING_TIMEOUT = '2s';
const ORDER_TIMEOUT = '5s';
/** Ids in one message, which has a limit. */
const IN_A_MESSAGE = 100;

type TimedAnswer = FleetAnswer & { readonly took: number };

/** A question under way. */
class Asked {
  readonly answers = new Map<string, TimedAnswer>();
  readonly isAnswered: Promise<void>;
  private readonly askedAt = performance.now();
  private finish!: () => void;

  /**
   * @param expected - ids of those whose answers are waited for.
   * @param isForAll - others may answer too: those that have not told of themselves yet.
   */
  constructor(
    private readonly expected: readonly string[],
    private readonly isForAll: boolean,
  ) {
    this.isAnswered = new Promise((resolve) => (this.finish = resolve));
    this.look();
  }

  take(answer: FleetAnswer): void {
    if (this.answers.has(answer.process)) return;
    // Nobody refuses for another.
    if (!this.isForAll && !this.expected.includes(answer.process)) return;
    this.answers.set(answer.process, { ...answer, took: Math.round(performance.now() - this.askedAt) });
    this.look();
  }

  private look(): void {
    if (this.expected.every((id) => this.answers.has(id))) this.finish();
  }
}

/** Asks processes of the fleet, and waits for their answers. @internal */
@Injectable()
export class FleetAsker {
  private readonly id = randomUUID();
  private readonly asked = new Map<string, Asked>();
  private subscription: ChannelSubscription | undefined;

  constructor(
    private readonly processes: FleetProcesses,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  async ping(timeout: Duration = PING_TIMEOUT): Promise<Pong[]> {
    const limit = requireDuration('timeout', timeout);
    const known = await this.processes.records();
    const answers = await this.ask(undefined, known, { what: 'ping' }, limit);
    return [...answers.values()].map(({ process, host, pid, took }) => ({ process, host, pid, took }));
  }

  async tell(name: string, order: FleetOrder, timeout: Duration = ORDER_TIMEOUT): Promise<FleetProcess> {
    const limit = requireDuration('timeout', timeout);
    const process = await this.processes.find(name);
    const [told] = await this.tellAll([process], order, limit);
    return told!;
  }

  async setConcurrency(queue: string, concurrency: number, options: ConcurrencyOptions): Promise<FleetProcess[]> {
    if (!isConcurrency(concurrency)) {
      throw invalidArgument('the concurrency', `a whole number from 1 to ${MOST_CONCURRENCY}`, concurrency);
    }
    const limit = requireDuration('timeout', options.timeout ?? ORDER_TIMEOUT);
    const order: FleetOrder = { what: 'concurrency', queue, concurrency };
    if (options.process !== undefined) return this.tellAll([await this.processes.find(options.process)], order, limit);
    const records = await this.processes.records();
    const workers = records.filter(({ queues, draining }) => !draining && queues.some((each) => each.queue === queue));
    return this.tellAll(workers, order, limit);
  }

  private async tellAll(
    processes: readonly ProcessRecord[],
    order: FleetOrder,
    timeout: number,
  ): Promise<FleetProcess[]> {
    const ids = processes.map(({ id }) => id);
    const answers = await this.ask(ids, processes, order, timeout);
    const silent = ids.filter((id) => !answers.has(id));
    if (silent.length > 0) throw new ProcessNotAnsweringError(silent, timeout);
    for (const { process, refusal } of answers.values()) {
      if (refusal !== undefined) throw new ProcessRefusedError(process, refusal);
    }
    return Promise.all(processes.map((process) => this.processes.again(process)));
  }

  /** The answers that came in time. */
  private async ask(
    to: readonly string[] | undefined,
    expected: readonly ProcessRecord[],
    order: FleetOrder,
    timeout: number,
  ): Promise<ReadonlyMap<string, TimedAnswer>> {
    if (to?.length === 0) return new Map();
    const deadline = Date.now() + timeout;
    await settlesWithin(timeout, this.listen().inEffect);
    const asked = new Asked(
      expected.map(({ id }) => id),
      to === undefined,
    );
    const id = randomUUID();
    this.asked.set(id, asked);
    try {
      for (const part of partsOf(to)) {
        const left = Math.max(deadline - Date.now(), 1);
        await this.backend.messages.publish(QUESTIONS, { id, asker: this.id, ...(part && { to: part }), order }, left);
      }
      await settlesWithin(deadline - Date.now(), asked.isAnswered);
      return asked.answers;
    } finally {
      this.asked.delete(id);
    }
  }

  /** Once somebody has asked, the process goes on listening. */
  private listen(): ChannelSubscription {
    this.subscription ??= this.backend.messages.subscribe(answersTo(this.id), (message) => {
      const answer = readAnswer(message);
      if (answer) this.asked.get(answer.id)?.take(answer);
    });
    return this.subscription;
  }
}

function partsOf(ids: readonly string[] | undefined): (readonly string[] | undefined)[] {
  if (!ids) return [undefined];
  return Array.from({ length: Math.ceil(ids.length / IN_A_MESSAGE) }, (_, n) =>
    ids.slice(n * IN_A_MESSAGE, (n + 1) * IN_A_MESSAGE),
  );
}
