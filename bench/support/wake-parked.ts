// Has the place before a line of parked jobs given up again and again, and the next of them woken, in a process of its own.
import type { Queue } from 'bullmq';
import { Logger } from '@nestjs/common';
import type { Line } from '../../libs/jobs/src/backend/lines.js';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { newJobId } from '../../libs/jobs/src/client/job-id.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { serveParent } from './alone.js';
import { Meter, type Measurement } from './meter.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

export interface WakeRequest {
  readonly store: StoreAddress;
  /** Jobs that are in the line when the clock runs from, and as many again as are woken. */
  readonly parked: number;
  readonly warmUp: number;
  readonly wakes: number;
}

const HOUR = 3_600_000;
const LINE: Line = { name: 'bench', places: 1, patience: HOUR };
/** Jobs that are parked in one go. */
const TOGETHER = 500;

serveParent(async ({ store, parked, warmUp, wakes }: WakeRequest): Promise<Measurement> => {
  const options = resolveOptions({ connection: connectionOf(store), namespace: NAMESPACE });
  const backend = await openBackend(options, new Logger('bench'));
  await backend.whenReady(10_000);
  const queue = backend.createQueue(QUEUE);
  let holder = { id: 'nobody', token: await take(backend, 'nobody') };
  await park(backend, queue, parked + warmUp + wakes);
  const meter = new Meter(warmUp, wakes);
  for (let n = 0; n < warmUp + wakes; n++) {
    const [next] = await backend.lines.free(LINE, holder.id, holder.token);
    await backend.wake(queue, [next!]);
    holder = { id: next!, token: await take(backend, next!) };
    meter.count();
  }
  const measurement = await meter.measured;
  const woken = await queue.getJobCountByTypes('waiting', 'prioritized');
  if (woken !== warmUp + wakes) throw new Error(`${woken} jobs were woken, where ${warmUp + wakes} should have been`);
  await queue.close();
  await backend.close(10_000);
  return measurement;
});

async function park(backend: QueueBackend, queue: Queue, count: number): Promise<void> {
  for (let left = count; left > 0; left -= TOGETHER) {
    const ids = Array.from({ length: Math.min(left, TOGETHER) }, () => newJobId(QUEUE));
    await queue.addBulk(
      ids.map((jobId) => ({ name: 'parked', data: {}, opts: { jobId, delay: HOUR, priority: 5, attempts: 3 } })),
    );
    await Promise.all(ids.map((id) => backend.lines.take(LINE, id, { ttl: HOUR, stand: true })));
  }
}

async function take({ lines }: QueueBackend, id: string): Promise<number> {
  const taken = await lines.take(LINE, id, { ttl: HOUR, stand: true });
  if (taken.kind !== 'holds') throw new Error(`${id} was woken, and the place is not free`);
  return taken.fencingToken;
}
