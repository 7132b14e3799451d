import { InvalidCanvasError } from '../canvas/canvas.errors.js';
import { whyNotMapped } from '../canvas/mapped-task.js';
import type { ResultKeeper } from '../results/result-keeper.js';
import { KeptElsewhere } from '../results/result-reference.js';
import type { TaskDefinition } from '../task/task-definition.js';
import { hashed } from './idempotency-key.js';
import type { JobContext } from './job-context.js';
import type { TaskHandler } from './task-context.creator.js';

/** Runs a task for each item of a list, one after another. @internal */
export function forEachItem(
  task: TaskDefinition,
  handler: TaskHandler,
  kept: Pick<ResultKeeper, 'payload'>,
): TaskHandler {
  return async (payload, context) => {
    const whyNot = whyNotMapped(task);
    if (whyNot !== undefined) throw new InvalidCanvasError('the task of map(), starmap() or chunks()', whyNot);
    const { gate } = context;
    const keyOfAll = context.idempotencyKey;
    const results: unknown[] = [];
    for (const [n, item] of (payload as unknown[]).entries()) {
      // A method that is short enough not to look at the signal is not begun once more.
      if (n > 0) context.signal.throwIfAborted();
      gate.makeIdempotencyKey = () => hashed('item', keyOfAll, String(n));
      const result = (await resultOf(handler(item, context), context)) ?? null;
      // With `@Idempotent` it has been stored for its key.
      results.push(result instanceof KeptElsewhere ? await kept.payload(result) : result);
    }
    // What was said of one is not true of all.
    gate.isResultChecked = false;
    gate.deduplicatedBy = undefined;
    return results;
  };
}

async function resultOf(running: Promise<unknown>, context: JobContext): Promise<unknown> {
  let result: unknown;
  try {
    result = await running;
  } catch (error) {
    if (context.forgetSkip()) return null;
    throw error;
  }
  if (context.forgetSkip()) return null;
  // An interceptor has made something else of it.
  if (context.control) throw context.control;
  return result;
}
