import { EventEmitter, once } from 'node:events';
import { inspect } from 'node:util';
import { FlowProducer, Queue, QueueEvents, type Processor, type QueueOptions } from 'bullmq';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { BackendUnavailableError, TransactionNotSupportedError } from '../backend.errors.js';
import { JobsWorker } from '../jobs-worker.js';
import type { CancelMark, CancelMarks, QueueBackend, Replaced, Replacement, WorkerSettings } from '../queue-backend.js';
import { keepSiblings } from '../sibling-backends.js';
import { pingWithin, settlesWithin } from '../with-timeout.js';
import { repeatStrategy } from '../../schedule/alarm-pattern.js';
import { commonWorkerOptions } from '../worker-options.js';
import type { BackendLogger } from '../backend-logger.js';
import { FleetMessages } from '../fleet-messages.js';
import { OutageReport } from '../outage-report.js';
import { coalesceWrites } from './coalesced-writes.js';
import { countLogLines } from './count-log-lines.js';
import { forgetJob } from './forget-job.js';
import { deferredFailures, markCancelled, readUnfinished } from './mark-cancelled.js';
import { RedisFailedJobs } from './redis-failed-jobs.js';
import { RedisFigures } from './redis-figures.js';
import { positionOf } from './position-of.js';
import { isRedisConnectionError } from './redis-errors.js';
import { RedisJobSets } from './redis-job-sets.js';
import { RedisKeptResults } from './redis-kept-results.js';
import { RedisLedger } from './redis-ledger.js';
import { RedisLimits } from './redis-limits.js';
import { RedisLines } from './redis-lines.js';
import { RedisMessageLine } from './redis-messages.js';
import { RedisScheduleStore } from './redis-schedule-store.js';
import { RedisTagIndex } from './redis-tag-index.js';
import { replaceUnbegun } from './replace-unbegun.js';
import { waitsForAnswer } from './unanswered.js';
import { wakeJobs } from './wake-jobs.js';

/** The end of `wait` that workers take from; they take of the prioritized jobs only when it is empty. */
const GIVE_BACK = `
local job, lock, active, stalled, wait, meta, marker, events = unpack(KEYS)
local id, token = unpack(ARGV)
if redis.call('GET', lock) ~= token then return 0 end
if redis.call('LREM', active, 1, id) == 0 then return 0 end
redis.call('DEL', lock)
redis.call('SREM', stalled, id)
redis.call('HSET', job, 'priority', 0)
redis.call('RPUSH', wait, id)
local paused, concurrency, kept = unpack(redis.call('HMGET', meta, 'paused', 'concurrency', 'opts.maxLenEvents'))
local maxed = concurrency and redis.call('LLEN', active) >= tonumber(concurrency)
if not paused and not maxed then redis.call('ZADD', marker, 0, '0') end
redis.call('XADD', events, 'MAXLEN', '~', kept or 10000, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
return 1`;

/**
 * BullMQ's Redis backend. One connection for what producers send (it fails fast), one for what workers send (it waits
 * for Redis to come back), and one while somebody listens to messages of the fleet; BullMQ adds one blocking connection
 * per worker and per QueueEvents.
 *
 * @internal
 */
export class RedisBackend implements QueueBackend {
  readonly kind = 'redis';
  readonly location: string;
  readonly ledger: RedisLedger;
  readonly lines: RedisLines;
  readonly keptResults: RedisKeptResults;
  readonly schedules: RedisScheduleStore;
  readonly limits: RedisLimits;
  readonly tags: RedisTagIndex;
  readonly failed: RedisFailedJobs;
  readonly figures: RedisFigures;
  readonly resultTable = undefined;
  readonly sets: RedisJobSets;
  readonly messages: FleetMessages;
  private readonly producer: Redis | Cluster;
  private readonly prefix: string;
  /** Every connection, also those that BullMQ makes by duplicating one of ours. */
  private readonly clients = new Set<Redis | Cluster>();
  private readonly outage: OutageReport;
  /** Of the producer's connection. Hundreds may wait for it at once, more than ioredis thinks right. */
  private readonly readiness = new EventEmitter().setMaxListeners(0);
  private consumer: Redis | Cluster | undefined;

  constructor(
    private readonly target: string | RedisOptions | Redis | Cluster,
    namespace: string,
    logger: BackendLogger,
    private readonly isVisitor = false,
  ) {
    // One hash tag for the whole namespace: BullMQ's scripts touch keys of several queues.
    this.prefix = `{${namespace}}`;
    this.outage = new OutageReport(logger);
    // Nothing is kept to be sent later: a job that was refused must not appear when Redis comes back.
    this.producer = this.connect({
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
    });
    this.producer.on(readyEvent(this.producer), () => this.readiness.emit('ready'));
    this.location = describeLocation(this.producer);
    this.outage.of(this.location);
    this.ledger = new RedisLedger(this.producer, this.prefix);
    this.lines = new RedisLines(this.producer, this.prefix);
    this.keptResults = new RedisKeptResults(this.producer, this.prefix);
    this.schedules = new RedisScheduleStore(this.producer, this.prefix);
    this.limits = new RedisLimits(this.producer, this.prefix);
    this.tags = new RedisTagIndex(this.producer, this.prefix);
    this.failed = new RedisFailedJobs(this.producer);
    this.figures = new RedisFigures(this.producer, this.prefix);
    this.sets = new RedisJobSets(this.producer);
    const line = new RedisMessageLine(this.producer, this.prefix, (options) => this.open(options), logger);
    this.messages = new FleetMessages(this, line, logger);
  }

  /** What is inside holds passwords. */
  [inspect.custom](): string {
    return `${this.constructor.name}(${this.location})`;
  }

  createQueue(name: string, isKnown = true): Queue {
    // BullMQ writes its version into each queue that it is asked for, also into one that there is not.
    const skipMetasUpdate = this.isVisitor || !isKnown;
    return new Queue(name, { ...this.baseOptions(this.producer), skipMetasUpdate, settings: { repeatStrategy } });
  }

  createQueueIn(): Queue {
    throw new TransactionNotSupportedError(this.location);
  }

  createFlowProducer(): FlowProducer {
    return keepSiblings(new FlowProducer(this.baseOptions(this.producer)));
  }

  createWorker(name: string, processor: Processor, settings: WorkerSettings): JobsWorker {
    const options = { ...commonWorkerOptions(settings), ...this.baseOptions(this.patient()) };
    const worker = new JobsWorker(name, processor, options);
    worker.passOn = () => this.mark(worker.toKey('marker'));
    return worker;
  }

  createQueueEvents(name: string): QueueEvents {
    return new QueueEvents(name, this.baseOptions(this.patient()));
  }

  markCancelled(queue: Queue, jobIds: readonly string[], marks: CancelMarks): Promise<CancelMark[]> {
    return markCancelled(this.producer, queue, jobIds, marks);
  }

  readUnfinished(queue: Queue, jobIds: readonly string[], field: string): Promise<unknown[]> {
    return readUnfinished(this.producer, queue, jobIds, field);
  }

  deferredFailures(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]> {
    return deferredFailures(this.producer, queue, jobIds);
  }

  async longestActive(queue: Queue, most: number): Promise<string[]> {
    // Each comes to the head of the list.
    return (await this.producer.lrange(queue.toKey('active'), -most, -1)).reverse();
  }

  async claimTokens(queue: Queue, jobIds: readonly string[]): Promise<(string | undefined)[]> {
    if (jobIds.length === 0) return [];
    const tokens = await this.producer.mget(jobIds.map((id) => queue.toKey(`${id}:lock`)));
    return tokens.map((token) => token ?? undefined);
  }

  countLogLines(queue: Queue, jobIds: readonly string[]): Promise<number[]> {
    return countLogLines(this.producer, queue, jobIds);
  }

  positionOf(queue: Queue, jobId: string, most: number): Promise<number | undefined> {
    return positionOf(this.producer, queue, jobId, most);
  }

  replaceUnbegun(queue: Queue, key: string, by: Replacement): Promise<Replaced | undefined> {
    return replaceUnbegun(this.producer, queue, key, by);
  }

  async giveBack(queue: Queue, jobId: string, token: string): Promise<boolean> {
    const names = [jobId, `${jobId}:lock`, 'active', 'stalled', 'wait', 'meta', 'marker', 'events'];
    const keys = names.map((name) => queue.toKey(name));
    return (await this.producer.eval(GIVE_BACK, keys.length, ...keys, jobId, token)) === 1;
  }

  wake(queue: Queue, jobIds: readonly string[]): Promise<void> {
    return wakeJobs(this.producer, queue, jobIds);
  }

  async wakeWorker(queue: Queue): Promise<void> {
    await this.mark(queue.toKey('marker'));
  }

  forget(queue: Queue, jobId: string, endedBy: number): Promise<boolean> {
    return forgetJob(this.producer, queue, jobId, endedBy);
  }

  ping(timeout: number): Promise<void> {
    return pingWithin(timeout, this.location, async () => {
      await this.whenReady(timeout);
      await this.producer.ping();
    });
  }

  async whenReady(timeout: number): Promise<void> {
    if (isReady(this.producer)) return;
    const waiting = new AbortController();
    // With AbortSignal.any and AbortSignal.timeout the garbage collector of Node 20 takes the timeout, and it never comes.
    const timer = setTimeout(() => waiting.abort(), timeout).unref();
    try {
      await once(this.readiness, 'ready', { signal: waiting.signal });
    } catch {
      if (!isReady(this.producer)) throw new BackendUnavailableError(this.location, timeout, this.outage.lastError);
    } finally {
      clearTimeout(timer);
    }
  }

  lastConnectionError(): Error | undefined {
    return this.outage.lastError;
  }

  async reconnect(timeout: number): Promise<number> {
    const rebuilt = await Promise.all([...this.clients].map((client) => this.rebuildSilent(client, timeout)));
    return rebuilt.filter(Boolean).length;
  }

  isConnectionError(error: unknown): boolean {
    return isRedisConnectionError(error);
  }

  async close(timeout: number): Promise<void> {
    this.outage.silence();
    this.messages.close();
    const quits = [...this.clients].map(async (client) => {
      // QUIT waits for the answers under way; without a connection there are none.
      if (isReady(client)) await settlesWithin(timeout, client.quit());
      client.disconnect();
    });
    await Promise.all(quits);
  }

  /** True when the connection was closed. What was sent over the consumer's is then sent again over the new one. */
  private async rebuildSilent(client: Redis | Cluster, timeout: number): Promise<boolean> {
    if (isReady(client)) {
      const isShared = client === this.consumer || client === this.producer;
      // Until BullMQ has asked a worker's own connection what Redis it is, the worker ends no job.
      if (!isShared && !(await waitsForAnswer(client, timeout))) return false;
      // Workers that are deaf wait for the consumer, whatever it answers to others.
      if (client === this.producer && (await settlesWithin(timeout, client.ping()))) return false;
    } else {
      // Nothing limits how long ioredis waits for the first answer of a server that let it connect.
      if (client.status !== 'connect') return false;
      await once(client, 'ready', { signal: AbortSignal.timeout(timeout) }).catch(() => undefined);
      if (client.status !== 'connect') return false;
    }
    client.disconnect(true);
    return true;
  }

  /** What wakes one worker that waits for jobs. */
  private async mark(marker: string): Promise<void> {
    await this.producer.zadd(marker, 0, '0');
  }

  private patient(): Redis | Cluster {
    this.consumer ??= this.connect({ maxRetriesPerRequest: null });
    return this.consumer;
  }

  private baseOptions(connection: Redis | Cluster): QueueOptions {
    return { connection, prefix: this.prefix };
  }

  /** Always a connection of our own, so that a client of the user's is neither reconfigured nor closed. */
  private connect(options: RedisOptions): Redis | Cluster {
    const client = this.own(this.open({ ...options, retryStrategy: (times) => Math.min(times * 100, 2_000) }));
    const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Redis | Cluster;
    client.duplicate = ((...args: unknown[]) => this.own(duplicate(...args))) as typeof client.duplicate;
    return client;
  }

  private own<Client extends Redis | Cluster>(client: Client): Client {
    this.clients.add(client);
    coalesceWrites(client);
    client.on('end', () => this.clients.delete(client));
    client.on('ready', () => this.outage.over());
    client.on('error', (error: Error) => this.outage.because(error));
    return client;
  }

  private open(options: RedisOptions): Redis | Cluster {
    const { target } = this;
    if (target instanceof Cluster)
      return target.duplicate(undefined, { redisOptions: { ...target.options.redisOptions, ...options } });
    if (target instanceof Redis) return target.duplicate(options);
    return typeof target === 'string' ? new Redis(target, options) : new Redis({ ...target, ...options });
  }
}

/** A cluster says 'connect' when commands can be sent. */
function readyEvent(client: Redis | Cluster): 'connect' | 'ready' {
  return client instanceof Cluster ? 'connect' : 'ready';
}

function isReady(client: Redis | Cluster): boolean {
  return client.status === 'ready' || client.status === readyEvent(client);
}

function describeLocation(client: Redis | Cluster): string {
  if (client instanceof Cluster) return 'the Redis cluster';
  const { path, host, port, db } = client.options;
  return `Redis at ${path ?? `${host}:${port}`}${db ? `/${db}` : ''}`;
}
