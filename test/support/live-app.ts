import { Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, Task, task, type JobContext, type JobsModuleOptions } from 'nestjs-jobs';
import { JobsHttpModule, type JobsHttpOptions } from 'nestjs-jobs/http';
import { JobWatches } from '../../libs/jobs/src/client/job-watches.js';
import { QueueHints } from '../../libs/jobs/src/client/queue-hints.js';
import { JobStreams, STREAM_PACE, type StreamPace } from '../../libs/jobs/src/http/job-streams.js';
import { LongPolls } from '../../libs/jobs/src/http/long-poll.js';
import { ownNamespace } from './backends.js';
import type { HttpServer } from './http-servers.js';
import { signal } from './signals.js';

@Injectable()
export class Reports {
  steps = [signal(), signal()];

  @Task({ name: 'reports.make', retry: { attempts: 1 } })
  async make(payload: { fails?: boolean }, job: JobContext): Promise<string> {
    await job.stage('reading', { rows: 3 });
    await job.log('began');
    await this.steps[0]!.reached;
    await job.progress(50);
    await job.log('half of it');
    await this.steps[1]!.reached;
    if (payload.fails) throw new Error('no paper');
    return 'done';
  }

  /** Logs more than the buffers of two sockets hold, and then waits. */
  @Task({ name: 'reports.chat' })
  async chat(payload: { lines: number }, job: JobContext): Promise<void> {
    for (let n = 0; n < payload.lines; n++) await job.log('x'.repeat(1024 * 1024));
    await this.steps[0]!.reached;
  }
}

export const make = task(Reports, 'make');

export interface LiveSettings {
  http?: JobsHttpOptions;
  options?: JobsModuleOptions;
  pace?: StreamPace;
  configure?: (app: INestApplication) => void;
}

/** An app that tells clients of its jobs. The caller closes it. */
export interface LiveApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly jobs: JobsService;
  readonly reports: Reports;
  readonly streams: JobStreams;
  readonly watches: JobWatches;
  readonly polls: LongPolls;
  readonly hints: QueueHints;
  /** Lets the jobs end, and closes the app. */
  readonly close: () => Promise<void>;
}

export async function startLiveApp({ backend, create }: HttpServer, settings: LiveSettings = {}): Promise<LiveApp> {
  const { http = { authorize: () => true }, options = {}, pace, configure } = settings;
  const connection = backend.connection()!;
  let testing = Test.createTestingModule({
    providers: [Reports],
    imports: [
      JobsHttpModule.forRoot(http),
      JobsModule.forRoot({ connection, namespace: ownNamespace(backend), connectTimeout: '10s', ...options }),
    ],
  });
  if (pace) testing = testing.overrideProvider(STREAM_PACE).useValue(pace);
  const app = create(await testing.compile());
  configure?.(app);
  await app.listen(0, '127.0.0.1');
  const reports = app.get(Reports);
  return {
    app,
    url: await app.getUrl(),
    jobs: app.get(JobsService),
    reports,
    streams: app.get(JobStreams, { strict: false }),
    watches: app.get(JobWatches, { strict: false }),
    polls: app.get(LongPolls, { strict: false }),
    hints: app.get(QueueHints, { strict: false }),
    close: () => {
      for (const step of reports.steps) step.reach();
      return app.close();
    },
  };
}
