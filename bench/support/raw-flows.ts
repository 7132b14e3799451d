import { randomUUID } from 'node:crypto';
import type { FlowJob, JobsOptions } from 'bullmq';
import { WaitedResult } from './canvas-app.js';
import { BEFORE, largestOf, type CanvasRunner, type Shape } from './canvas-shapes.js';
import { QUEUE } from './noop-jobs.js';
import { openRawEngine, rawWorkerOptions, type RawFlows, type RawJob } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

interface Addends {
  readonly x?: number;
  readonly y: number;
}

/** Those that a careful user gives each job, as ours has them. */
function optionsOf(jobId: string, isChild: boolean): JobsOptions {
  return {
    jobId,
    attempts: 3,
    backoff: { type: 'exponential', delay: 1_000 },
    priority: 5,
    removeOnComplete: { age: 86_400 },
    removeOnFail: { age: 604_800 },
    ...(isChild && { failParentOnFailure: true }),
  };
}

/** With BullMQ alone: flows written by hand. */
export async function openRaw(store: StoreAddress, shape: Shape, concurrency: number): Promise<CanvasRunner> {
  const engine = await openRawEngine(store);
  const flows = engine.flows();
  const waited = new WaitedResult(shape);
  let size = 0;
  const process = async (job: RawJob): Promise<number> => {
    const result = await resultOf(job);
    if (job.name === 'start') await addSpawned(flows, job.id!, size, result);
    else waited.tell(job.name as 'add' | 'largest', result);
    return result;
  };
  const worker = engine.worker(QUEUE, process, rawWorkerOptions(concurrency));
  worker.on('error', (error) => console.error(error));
  void worker.run();
  return {
    async run(asked) {
      size = asked;
      const arrived = waited.of(size);
      await flows.add(flowOf(shape, size));
      return arrived;
    },
    async close() {
      await worker.close();
      await flows.close();
      await engine.disconnect();
    },
  };
}

async function resultOf(job: RawJob): Promise<number> {
  if (job.name === 'largest') return largestOf(Object.values(await job.getChildrenValues()) as number[]);
  const { x, y } = job.data as Addends;
  if (x !== undefined) return x + y;
  const [before] = Object.values(await job.getChildrenValues()) as number[];
  return before! + y;
}

function flowOf(shape: Shape, size: number): FlowJob {
  const id = randomUUID();
  switch (shape) {
    case 'chord':
      return chordFlow(id, size, (n) => ({ x: n, y: 0 }));
    case 'chain':
      return chainFlow(id, size);
    case 'spawned':
      return { name: 'start', queueName: QUEUE, data: { x: 0, y: BEFORE }, opts: optionsOf(id, false) };
  }
}

/** The group behind a step, which that step adds. */
function addSpawned(flows: RawFlows, startId: string, size: number, before: number): Promise<unknown> {
  return flows.add(chordFlow(`${startId}-2`, size, (n) => ({ x: before, y: n })));
}

function chordFlow(id: string, size: number, dataOf: (n: number) => Addends): FlowJob {
  const children = Array.from({ length: size }, (_, n) => ({
    name: 'add',
    queueName: QUEUE,
    data: dataOf(n),
    opts: optionsOf(`${id}.${n}`, true),
  }));
  return { name: 'largest', queueName: QUEUE, data: {}, opts: optionsOf(id, false), children };
}

/** The first step is the innermost child. */
function chainFlow(id: string, steps: number): FlowJob {
  const options = (n: number): JobsOptions => optionsOf(n === steps - 1 ? id : `${id}-${n}`, n < steps - 1);
  let flow: FlowJob = { name: 'add', queueName: QUEUE, data: { x: 0, y: 1 }, opts: options(0) };
  for (let n = 1; n < steps; n++) {
    flow = { name: 'add', queueName: QUEUE, data: { y: 1 }, opts: options(n), children: [flow] };
  }
  return flow;
}
