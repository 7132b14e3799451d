import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Piscina } from 'piscina';
import type { Environment } from '../config/environment.js';
import type { ReportFigures, ReportOrder } from './generate-report.js';
import type { ReportNews, ThreadAnswer, ThreadTask } from './report.worker.js';
import { InputProblem } from '../csv/input-problem.js';

const IDLE_THREAD_LIFE = 30_000;
const NICE_TO_REQUESTS = 10;

/** Makes reports in worker threads, so that a big file never keeps a request waiting. */
@Injectable()
export class ReportThreads implements OnApplicationShutdown {
  private pool: Piscina<ThreadTask, ThreadAnswer> | undefined;

  constructor(private readonly config: ConfigService<Environment, true>) {}

  /**
   * `onNews` is awaited for each piece of news, in order; all of it has been told when the promise resolves. When the
   * signal is aborted the thread is ended, wherever it is, and the promise rejects.
   */
  async generate(
    order: ReportOrder,
    signal: AbortSignal,
    onNews: (news: ReportNews) => Promise<void>,
  ): Promise<ReportFigures> {
    const { port1: ours, port2: theirs } = new MessageChannel();
    let told = Promise.resolve();
    ours.on('message', (news: ReportNews | 'end') => {
      if (news === 'end') {
        ours.close();
        return;
      }
      told = told.then(() => onNews(news));
      // Awaited below; without this a failure in the meantime would count as unhandled.
      told.catch(() => undefined);
    });
    const closed = once(ours, 'close');
    try {
      const answer = await this.start().run({ order, port: theirs }, { transferList: [theirs], signal });
      await closed;
      await told;
      if ('problem' in answer) {
        throw new InputProblem(answer.problem.code, answer.problem.message);
      }
      return answer.figures;
    } finally {
      ours.close();
    }
  }

  /** Not earlier: JobsModule drains its workers in onModuleDestroy, and their reports need the threads until then. */
  async onApplicationShutdown(): Promise<void> {
    await this.pool?.destroy();
  }

  private start(): Piscina<ThreadTask, ThreadAnswer> {
    this.pool ??= new Piscina<ThreadTask, ThreadAnswer>({
      filename: fileURLToPath(new URL('./report.worker.js', import.meta.url)),
      minThreads: 0,
      maxThreads: this.config.get('REPORT_THREADS', { infer: true }),
      idleTimeout: IDLE_THREAD_LIFE,
      // Only Linux has a priority for each thread; elsewhere this would slow the whole process down.
      niceIncrement: process.platform === 'linux' ? NICE_TO_REQUESTS : 0,
    });
    return this.pool;
  }
}
