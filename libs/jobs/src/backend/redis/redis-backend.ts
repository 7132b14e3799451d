import { FlowProducer, Queue, QueueEvents, type Processor, type QueueOptions } from 'bullmq';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { JobsWorker } from '../jobs-worker.js';
import type { CancelMark, QueueBackend, WorkerSettings } from '../queue-backend.js';
import { promoteIfDelayed } from '../promote-marked.js';
import { pingWithin } from '../with-timeout.js';
import { commonWorkerOptions } from '../worker-options.js';
import { RedisLedger } from './redis-ledger.js';

const MARK_CANCELLED = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'missing' end
if redis.call('HEXISTS', KEYS[1], 'finishedOn') == 1 then return 'finished' end
if redis.call('LPOS', KEYS[2], ARGV[1]) then return 'active' end
redis.call('HSETNX', KEYS[1], 'defa', ARGV[2])
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 'delayed' end
return 'marked'`;

/**
 * BullMQ's Redis backend. One connection for what producers send (it fails fast), one for what workers send (it waits
 * for Redis to come back); BullMQ adds one blocking connection per worker and per QueueEvents.
 *
 * @internal
 */
export class RedisBackend implements QueueBackend {
  readonly kind = 'redis';
  readonly location: string;
  readonly ledger: RedisLedger;
  private readonly producer: Redis | Cluster;
  private consumer: Redis | Cluster | undefined;
  private readonly prefix: string;

  constructor(
    private readonly target: string | RedisOptions | Redis | Cluster,
    namespace: string,
    private readonly onError: (error: Error) => void,
  ) {
    // One hash tag for the whole namespace: BullMQ's scripts touch keys of several queues (engine.md 17).
    this.prefix = `{${namespace}}`;
    this.producer = this.connect({ maxRetriesPerRequest: 1 });
    this.location = describeLocation(this.producer);
    this.ledger = new RedisLedger(this.producer, this.prefix);
  }

  createQueue(name: string): Queue {
    return new Queue(name, this.baseOptions(this.producer));
  }

  createFlowProducer(): FlowProducer {
    return new FlowProducer(this.baseOptions(this.producer));
  }

  createWorker(name: string, processor: Processor, settings: WorkerSettings): JobsWorker {
    return new JobsWorker(name, processor, { ...commonWorkerOptions(settings), ...this.baseOptions(this.patient()) });
  }

  createQueueEvents(name: string): QueueEvents {
    return new QueueEvents(name, this.baseOptions(this.patient()));
  }

  async markCancelled(queue: Queue, jobId: string, mark: string): Promise<CancelMark> {
    const keys = [queue.toKey(jobId), queue.toKey('active'), queue.toKey('delayed')];
    const found = (await this.producer.eval(MARK_CANCELLED, keys.length, ...keys, jobId, mark)) as
      CancelMark | 'delayed';
    if (found !== 'delayed') return found;
    await promoteIfDelayed(queue, jobId);
    return 'marked';
  }

  ping(timeout: number): Promise<void> {
    return pingWithin(timeout, this.location, () => this.producer.ping());
  }

  isConnectionError(error: unknown): boolean {
    return (
      error instanceof Error &&
      (/connection is closed|max retries per request|stream isn't writeable|ECONN|ETIMEDOUT|EPIPE/i.test(
        error.message,
      ) ||
        error.name === 'MaxRetriesPerRequestError')
    );
  }

  async close(): Promise<void> {
    for (const client of [this.producer, this.consumer]) {
      if (!client || client.status === 'end') continue;
      // QUIT waits for the answers under way; without a connection there are none.
      if (client.status === 'ready') await client.quit().catch(() => client.disconnect());
      else client.disconnect();
    }
  }

  private patient(): Redis | Cluster {
    this.consumer ??= this.connect({ maxRetriesPerRequest: null });
    return this.consumer;
  }

  private baseOptions(connection: Redis | Cluster): QueueOptions {
    return { connection, prefix: this.prefix };
  }

  /** Always a connection of our own, so that a client of the user's is neither reconfigured nor closed. */
  private connect(options: Pick<RedisOptions, 'maxRetriesPerRequest'>): Redis | Cluster {
    const client = this.open({ ...options, retryStrategy: (times) => Math.min(times * 100, 2_000) });
    let reported = false;
    client.on('ready', () => (reported = false));
    client.on('error', (error: Error) => {
      // Every attempt to reconnect fails with the same error; one line for each outage is enough.
      if (!reported) this.onError(error);
      reported = true;
    });
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

function describeLocation(client: Redis | Cluster): string {
  if (client instanceof Cluster) return 'the Redis cluster';
  const { path, host, port, db } = client.options;
  return `Redis at ${path ?? `${host}:${port}`}${db ? `/${db}` : ''}`;
}
