import { setTimeout as pause } from 'node:timers/promises';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type {
  Bucket,
  Granted,
  LimitAlgorithm,
  Limited,
  LimitRule,
  Limits,
  Ticket,
} from '../../libs/jobs/src/backend/limits.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { uniqueNamespace, type TestBackend } from './backends.js';
import { MemoryLogger } from './memory-logger.js';

export const HOUR = 3_600_000;

export function rule(
  limit: number,
  period: number,
  algorithm: LimitAlgorithm = 'token-bucket',
  burst = limit,
): LimitRule {
  return { limit, period, burst, algorithm };
}

interface Asked {
  cost?: number;
  maxWait?: number;
  patience?: number;
  ticket?: Ticket;
}

/** Buckets of stores that are opened for the tests of a `describe`. */
export function limitBuckets({ name: backendName, connection }: TestBackend) {
  let stores: QueueBackend[];
  let count = 0;
  let turn = 0;

  beforeAll(async () => {
    const options = resolveOptions({ connection: connection()!, namespace: uniqueNamespace() });
    stores = [];
    // An embedded database has one process only.
    for (let n = backendName === 'embedded' ? 1 : 2; n > 0; n--) {
      const store = await openBackend(options, new MemoryLogger());
      await store.whenReady(5_000);
      stores.push(store);
    }
  });
  afterAll(async () => {
    for (const store of stores ?? []) await store.close(5_000);
  });

  const newBucket = (key = ''): Bucket => ({ name: `odd:name/${++count} 'ä"`, key });

  /** From each of the processes in turn. */
  const limits = (): Limits => stores[turn++ % stores.length]!.limits;

  const take = (bucket: Bucket, by: LimitRule, { cost = 1, maxWait = Infinity, ...rest }: Asked = {}) =>
    limits().take(bucket, by, { cost, maxWait, ...rest });

  async function granted(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Granted> {
    const taken = await take(bucket, by, asked);
    if (taken.kind !== 'granted') throw new Error(`waits for ${taken.wait} ms`);
    return taken;
  }

  async function limited(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Limited> {
    const taken = await take(bucket, by, asked);
    if (taken.kind !== 'waits') throw new Error(`granted at ${taken.at}`);
    return taken;
  }

  async function ticketOf(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Ticket> {
    return (await limited(bucket, by, asked)).ticket!;
  }

  /** Comes back whenever it should, until it is granted. */
  async function granting(bucket: Bucket, by: LimitRule, asked: Asked = {}): Promise<Granted & { takes: number }> {
    let ticket = asked.ticket;
    for (let takes = 1; ; takes++) {
      const taken = await take(bucket, by, { ...asked, ...(ticket && { ticket }) });
      if (taken.kind === 'granted') {
        if (taken.wait > 0) await pause(taken.wait);
        return { ...taken, takes };
      }
      ({ ticket } = taken);
      await pause(taken.wait);
    }
  }

  return { stores: () => stores, newBucket, limits, take, granted, limited, ticketOf, granting };
}
