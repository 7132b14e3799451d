import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { JobsHttpModule } from '../../libs/jobs/src/http/index.js';
import { JobsModule, Task, task, type JobContext } from '../../libs/jobs/src/index.js';
import type { Mail } from './mail-jobs.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** What reports progress, and what nobody works. */
const REPORTS = 'reports';
const LATER = 'later';
/** Milliseconds between two reports of a job. */
const GAPS = [2_000, 4_000] as const;
const CONCURRENCY = 10;

interface Report {
  /** Between 0 and 1: the jobs must not all report at the same time. */
  readonly lag: number;
}

/** What became of the reports of this process. */
export class Reporting {
  readonly stop = new AbortController();
  begun = 0;
  /** Progress that was stored. */
  told = 0;

  constructor() {
    setMaxListeners(0, this.stop.signal);
  }
}

@Injectable()
class WatchedTasks {
  constructor(private readonly reporting: Reporting) {}

  /** Reports progress now and then until the process stops. */
  @Task({ name: 'reports.make', queue: REPORTS, retry: { attempts: 1 } })
  async report({ lag }: Report, job: JobContext): Promise<void> {
    const { stop } = this.reporting;
    const [least, most] = GAPS;
    this.reporting.begun++;
    for (let step = 0; !stop.signal.aborted; step++) {
      const gap = step === 0 ? lag * most : least + lag * (most - least);
      await sleep(gap, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted) return;
      await job.progress({ step, of: 1_000, note: 'pages are being put together' });
      this.reporting.told++;
    }
  }

  @Task({ name: 'reports.send', queue: QUEUE })
  send(_payload: Mail): void {}

  @Task({ name: 'reports.archive', queue: LATER })
  archive(_payload: Report): void {}
}

export const makeReport = task(WatchedTasks, 'report');
export const sendReport = task(WatchedTasks, 'send');
/** Stays pending. */
export const archiveReport = task(WatchedTasks, 'archive');

interface WatchedApp {
  readonly works: boolean;
  /** How many jobs report at once. */
  readonly reports: number;
  readonly reporting: Reporting;
}

/** An app with the endpoints of jobs, which does not listen yet. */
export function startWatchedApp(store: StoreAddress, settings: WatchedApp): Promise<NestExpressApplication> {
  const { works, reports, reporting } = settings;
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    defaultQueue: QUEUE,
    queues: { [QUEUE]: { concurrency: CONCURRENCY }, [REPORTS]: { concurrency: reports }, [LATER]: {} },
    workers: works && { except: [LATER] },
  });
  class WatchedModule {}
  return NestFactory.create<NestExpressApplication>(
    {
      module: WatchedModule,
      providers: [WatchedTasks, { provide: Reporting, useValue: reporting }],
      imports: [JobsHttpModule.forRoot({ authorize: () => true }), jobs],
    },
    { logger: ['error'] },
  );
}
