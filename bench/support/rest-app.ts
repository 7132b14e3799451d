// Works queues in which nothing happens, in a process of its own.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NestFactory } from '@nestjs/core';
import { JobsService } from '../../libs/jobs/src/index.js';
import { serveParent } from './alone.js';
import { cpuSince } from './clock.js';
import { mail, sendMail, startMailApp, type MailWorkers } from './mail-jobs.js';
import { openRawEngine, rawWorkerOptions } from './raw-engine.js';
import type { StoreAddress } from './stores.js';

export type RestRequest =
  /** `nest`: an empty Nest app, with all modules loaded that the others need. */
  | {
      readonly step: 'begin';
      readonly app: 'nest' | 'raw' | 'ours';
      readonly store: StoreAddress;
      readonly workers: MailWorkers;
    }
  /** Some jobs in each queue at the same time, whose ends are waited for. */
  | { readonly step: 'use' }
  | { readonly step: 'rest'; readonly milliseconds: number }
  | { readonly step: 'close' };

export interface RestReport {
  /** Milliseconds of CPU in a second. */
  readonly cpu: number;
  /** Megabytes that the process has, and of them those of JavaScript objects, both after a garbage collection. */
  readonly rss: number;
  readonly heap: number;
}

interface RestingApp {
  use(queue: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Milliseconds. */
const SETTLING = 1_000;
/** In each queue, for a pool to open what it may. */
const JOBS = 20;
const MEGABYTE = 2 ** 20;
const postbox = { put: (): void => {} };
let app: RestingApp;
let queues: readonly string[];

serveParent(async (request: RestRequest): Promise<RestReport | undefined> => {
  switch (request.step) {
    case 'begin':
      queues = request.workers.queues;
      app = await OPEN[request.app](request.store, request.workers);
      return undefined;
    case 'use':
      await Promise.all(queues.map((queue) => app.use(queue)));
      return undefined;
    case 'rest':
      return rest(request.milliseconds);
    case 'close':
      await app.close();
      return undefined;
  }
});

function atOnce(each: (n: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: JOBS }, (_, n) => each(n)));
}

async function rest(milliseconds: number): Promise<RestReport> {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  // What is left of the beginning: the compiler, and the collection itself.
  await sleep(SETTLING);
  const { rss, heapUsed } = process.memoryUsage();
  const cpuAtStart = process.cpuUsage();
  await sleep(milliseconds);
  return { cpu: cpuSince(cpuAtStart) / milliseconds, rss: rss / MEGABYTE, heap: heapUsed / MEGABYTE };
}

const OPEN: Record<'nest' | 'raw' | 'ours', (store: StoreAddress, workers: MailWorkers) => Promise<RestingApp>> = {
  nest: async () => {
    const nest = await NestFactory.createApplicationContext({ module: class EmptyModule {} }, { logger: ['error'] });
    return { use: async () => {}, close: () => nest.close() };
  },

  ours: async (store, workers) => {
    const nest = await startMailApp(store, { ...workers, postbox });
    const jobs = nest.get(JobsService);
    return {
      use: (queue) =>
        atOnce(async (n) => {
          const job = await jobs.enqueue(sendMail, mail(n), { queue });
          await job.result();
        }),
      close: () => nest.close(),
    };
  },

  raw: async (store, { queues: names, concurrency }) => {
    const engine = await openRawEngine(store);
    const workers = names.map((name) => {
      const worker = engine.worker(name, async () => postbox.put(), rawWorkerOptions(concurrency));
      worker.on('error', (error) => console.error(error));
      void worker.run();
      return worker;
    });
    const used: { close(): Promise<void> }[] = [];
    return {
      use: async (name) => {
        const [queue, events] = [engine.queue(name), engine.events(name)];
        used.push(queue, events);
        await events.waitUntilReady();
        let ended = 0;
        const allEnded = new Promise<void>((resolve) => {
          events.on('completed', () => ++ended === JOBS && resolve());
        });
        await atOnce((n) => queue.add('mails.send', { p: mail(n) }));
        await allEnded;
      },
      close: async () => {
        await Promise.all([...workers, ...used].map((each) => each.close()));
        await engine.disconnect();
      },
    };
  },
};
