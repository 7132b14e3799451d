import type { MessagePort } from 'node:worker_threads';
import {
  generateReport,
  type ReportFigures,
  type ReportObserver,
  type ReportOrder,
  type ReportStage,
} from './generate-report.js';
import { InputProblem, type InputProblemCode } from '../csv/input-problem.js';

const SMALLEST_STEP = 5;

export interface ThreadTask {
  order: ReportOrder;
  port: MessagePort;
}

export type ReportNews = { stage: ReportStage } | { percent: number };

// A problem is an answer, not an exception: an Error loses its `code` on the way between threads.
export type ThreadAnswer = { figures: ReportFigures } | { problem: { code: InputProblemCode; message: string } };

/** Runs in a thread of the pool; `report-threads.ts` is its other end. */
export default async function reportWorker({ order, port }: ThreadTask): Promise<ThreadAnswer> {
  try {
    return { figures: await generateReport(order, tellThrough(port)) };
  } catch (error) {
    if (error instanceof InputProblem) {
      return { problem: { code: error.code, message: error.message } };
    }
    throw error;
  } finally {
    // Closing the port from here would wait for this thread's event loop, which the pool may have put to sleep.
    port.postMessage('end');
  }
}

function tellThrough(port: MessagePort): ReportObserver {
  let told = 0;
  const tell = (news: ReportNews) => port.postMessage(news);
  return {
    stage: (stage) => tell({ stage }),
    progress: (percent) => {
      if (percent - told >= SMALLEST_STEP) {
        told = percent;
        tell({ percent });
      }
    },
  };
}
