import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Redis, type RedisOptions } from 'ioredis';
import type { BackendLogger } from '../backend-logger.js';
import type { LineListener, MessageLine } from '../fleet-messages.js';
import { succeedsWithin } from '../with-timeout.js';
import { isRedisConnectionError } from './redis-errors.js';

const FIRST_RETRY = 100;
const SLOWEST_RETRY = 2_000;
const CONNECT_LIMIT = 10_000;
/** A connection that is silent says nothing of whether it is still one. */
const PROBE_EVERY = 10_000;
const PROBE_LIMIT = 5_000;

/** Lasts for one connection: what comes after its end is decided here, also where ioredis would not notice the end. */
const ONCE: RedisOptions = {
  lazyConnect: true,
  retryStrategy: null,
  autoResubscribe: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
};

/** By a script, which has a key: a cluster would take PUBLISH at any node, and then a later message can be heard first. */
const PUBLISH = `redis.call('PUBLISH', KEYS[1], ARGV[1])`;

/** A channel of Redis, and a connection of its own while somebody listens. @internal */
export class RedisMessageLine implements MessageLine {
  private readonly channel: string;
  private isRefusalKnown = false;
  private isLooking = false;

  constructor(
    private readonly producer: Redis | Cluster,
    prefix: string,
    private readonly open: (options: RedisOptions) => Redis | Cluster,
    private readonly logger: BackendLogger,
  ) {
    // Redis has one set of channels for all its databases.
    const db = producer instanceof Cluster ? 0 : (producer.options.db ?? 0);
    this.channel = `${prefix}:_messages:${db}`;
  }

  async send(payload: string): Promise<void> {
    await this.producer.eval(PUBLISH, 1, this.channel, payload);
  }

  listen(listener: LineListener): () => void {
    const ended = new AbortController();
    void this.keepListening(listener, ended.signal);
    return () => ended.abort();
  }

  private async keepListening(listener: LineListener, ended: AbortSignal): Promise<void> {
    for (let wait = FIRST_RETRY; !ended.aborted; wait = Math.min(wait * 2, SLOWEST_RETRY)) {
      const client = this.dial();
      if (client && (await this.listenOn(client, listener, ended))) wait = FIRST_RETRY;
      else this.lookForNodes();
      await sleep(wait, undefined, { signal: ended, ref: false }).catch(() => undefined);
    }
  }

  /** Ends with the connection. False when nothing was ever heard there. */
  private async listenOn(client: Redis, listener: LineListener, ended: AbortSignal): Promise<boolean> {
    const dropped = new AbortController();
    const drop = (): void => {
      // Of one that is closed, ioredis would wait two seconds for the end, and the process with it.
      if (dropped.signal.aborted) return;
      dropped.abort();
      disconnect(client);
    };
    client.on('error', (error: Error) => this.explain(error));
    client.once('end', () => dropped.abort());
    client.on('message', (_channel, payload) => !ended.aborted && listener.onPayload(payload));
    ended.addEventListener('abort', drop, { once: true });
    try {
      const begun = client.connect().then(() => this.subscribe(client));
      if (!(await succeedsWithin(CONNECT_LIMIT, begun)) || ended.aborted) return false;
      this.isRefusalKnown = false;
      listener.onUp();
      await this.watch(client, dropped.signal);
      if (!ended.aborted) listener.onDown();
      return true;
    } finally {
      ended.removeEventListener('abort', drop);
      drop();
    }
  }

  /** Until the connection is of no use any more. */
  private async watch(client: Redis, dropped: AbortSignal): Promise<void> {
    while (!dropped.aborted) {
      await sleep(PROBE_EVERY, undefined, { signal: dropped, ref: false }).catch(() => undefined);
      // What is subscribed to already can be subscribed to again.
      if (!this.isOfUse(client) || !(await succeedsWithin(PROBE_LIMIT, this.subscribe(client)))) return;
    }
  }

  private async subscribe(client: Redis): Promise<void> {
    await client.subscribe(this.channel).catch((error: Error) => {
      this.explain(error);
      throw error;
    });
  }

  /** Every node of a cluster hears everything. ioredis' own subscriber of a cluster does not notice a dead connection. */
  private dial(): Redis | undefined {
    const { producer } = this;
    if (!(producer instanceof Cluster)) return this.open(ONCE) as Redis;
    const nodes = producer.nodes();
    return nodes[Math.floor(Math.random() * nodes.length)]?.duplicate(ONCE);
  }

  /** An idle client of a cluster forgets nodes and learns of none; one that is given a command looks at what there is. */
  private lookForNodes(): void {
    if (!(this.producer instanceof Cluster) || this.isLooking) return;
    this.isLooking = true;
    this.producer
      .ping()
      .catch(() => undefined)
      .finally(() => (this.isLooking = false));
  }

  /** A node that left the cluster may live on, and hears nothing. */
  private isOfUse({ options: { host, port } }: Redis): boolean {
    const { producer } = this;
    if (!(producer instanceof Cluster)) return true;
    return producer.nodes().some(({ options }) => options.host === host && options.port === port);
  }

  /** That Redis is away is told by those who work with it. */
  private explain(error: Error): void {
    if (this.isRefusalKnown || isRedisConnectionError(error)) return;
    this.isRefusalKnown = true;
    this.logger.error(`Messages from the fleet are not heard: Redis refused ${this.channel}: ${error.message}`);
  }
}

/** Also from a server that does not answer, to which ioredis would only begin to say goodbye. */
function disconnect(client: Redis): void {
  client.disconnect();
  (client as { stream?: Redis['stream'] }).stream?.destroy();
}
