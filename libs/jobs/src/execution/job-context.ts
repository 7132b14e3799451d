import { InvalidCanvasError } from '../canvas/canvas.errors.js';
import type { CanvasPlacer } from '../canvas/canvas-placer.js';
import { assertReplaces } from '../canvas/compile-canvas.js';
import type { Signature } from '../canvas/signature.js';
import type { TaskRef } from '../task/task-reference.js';
import { currentJob, runAsJob, type CurrentJob } from '../client/current-job.js';
import type { ProgressRecord, StoredJob } from '../client/envelope.js';
import { invalidArgument, requireJson, requireText } from '../client/invalid-argument.error.js';
import type { JobHandle } from '../client/job-handle.js';
import type { EnqueueArguments, JobsClient } from '../client/jobs-client.js';
import type { Tell } from '../client/tell.js';
import { Replaced } from './control-exceptions.js';
import { RunningAttempt } from './running-attempt.js';
import type { JobClaims } from './job-claims.js';

const LONGEST_STAGE = 200;

/**
 * What a task knows of the job it runs for, and what it can say about it: the second parameter of every task method.
 *
 * @publicApi
 */
export class JobContext extends RunningAttempt implements CurrentJob {
  /** Rejects with what the job is replaced with, or with why it is not. @internal */
  replacing: Promise<never> | undefined;

  /** @internal */
  constructor(
    stored: StoredJob,
    private readonly client: Pick<JobsClient, 'enqueue'>,
    claims: Pick<JobClaims, 'lease' | 'holds'>,
    tell: Tell,
    private readonly placer: Pick<CanvasPlacer, 'placeAll'>,
  ) {
    super(stored, claims, tell);
  }

  /** The context of the task that the calling code runs in, at any depth; undefined outside of tasks. */
  static current(): JobContext | undefined {
    const current = currentJob();
    return current instanceof JobContext ? current : undefined;
  }

  /** @internal */
  static run<T>(context: JobContext, work: () => T): T {
    return runAsJob(context, work);
  }

  /**
   * Enqueues another job, as `JobsService.enqueue` does with what it takes and throws. Headers and `rootId` of this job
   * are inherited; so they are with `JobsService` anywhere below a task, which this saves from being injected.
   *
   * @throws {@link AttemptEndedError}
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { type JobContext, Task, task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Imports {
   *   @Task()
   *   async load(payload: { file: string }, job: JobContext): Promise<void> {
   *     await job.enqueue(task(Imports, 'index'), { file: payload.file }, { delay: '1m' });
   *   }
   *
   *   @Task()
   *   async index(payload: { file: string }): Promise<void> {
   *     console.log(payload.file);
   *   }
   * }
   * ```
   */
  async enqueue<Payload, Result>(
    ref: TaskRef<Payload, Result>,
    ...args: EnqueueArguments<Payload>
  ): Promise<JobHandle<Result>> {
    const doubt = this.claimInDoubt();
    if (doubt) await doubt;
    this.assertRunning('enqueue');
    // The call may come from an event whose listeners run outside of the task.
    return runAsJob(this, () => this.client.enqueue(ref, ...args));
  }

  /**
   * Ends the run, and has another canvas take the job's place: the job waits for it, without a slot, and ends as it ends,
   * with its result. So the job keeps its place in its own canvas, its links and its errbacks, and the new jobs have its
   * headers and its tags. It spends no attempt, and what is thrown after it counts no more. Write `return
   * job.replaceWith(canvas)`.
   *
   * The idea is Celery's `self.replace`.
   *
   * @throws {@link InvalidCanvasError}, {@link CanvasTooLargeError} above 8 MB of JSON, {@link AttemptEndedError}, and what
   * `enqueue` throws; else it never returns.
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { chord, type JobContext, Task, task } from 'nestjs-jobs';
   *
   * @Injectable()
   * export class Totals {
   *   @Task()
   *   async ofMonth(payload: { days: string[] }, job: JobContext): Promise<number> {
   *     const days = payload.days.map((day) => task(Totals, 'ofDay').s(day));
   *     return job.replaceWith(chord(days, task(Totals, 'sum').s()));
   *   }
   *
   *   @Task()
   *   async ofDay(day: string): Promise<number> {
   *     return day.length;
   *   }
   *
   *   @Task()
   *   async sum(numbers: number[]): Promise<number> {
   *     return numbers.reduce((sum, n) => sum + n, 0);
   *   }
   * }
   * ```
   */
  replaceWith<Result>(canvas: Signature<undefined, Result>): Promise<never> {
    const replacing = this.replace(canvas);
    // A method that does not wait for it is waited for; a rejection that nobody handles would end the process.
    replacing.catch(() => {});
    this.replacing ??= replacing;
    return replacing;
  }

  private async replace(canvas: Signature<undefined, unknown>): Promise<never> {
    const doubt = this.claimInDoubt();
    if (doubt) await doubt;
    this.assertRunning('replaceWith');
    if (this.stored.data.c?.r) {
      throw new InvalidCanvasError(
        'the task of map(), starmap() or chunks()',
        'one that does not replace itself: all of its runs are those of one job. Give a group of its signatures',
      );
    }
    if (this.gate.makeIdempotencyKey) {
      throw new InvalidCanvasError(
        'a task with @Idempotent',
        'one that does not replace itself: the result of its canvas could not be kept. Start the canvas, or put ' +
          '@Idempotent on its parts',
      );
    }
    const placed = await runAsJob(this, () => this.placer.placeAll(canvas, { stamps: this.tags }));
    assertReplaces(placed.canvas);
    const replaced = new Replaced(placed.canvas);
    // Whatever the task makes of the exception.
    this.record(replaced);
    throw replaced;
  }

  /**
   * Names the stage that the work is in, for whoever polls the status; `meta` (JSON) is shown with it.
   *
   * The idea is Celery's `update_state`.
   *
   * @param name - at most 200 characters.
   * @throws {@link InvalidArgumentError}; {@link AttemptEndedError}.
   */
  stage(name: string, meta?: unknown): Promise<void> {
    return this.tell('stage', async () => {
      requireText('the name of a stage', name, LONGEST_STAGE);
      const stage = meta === undefined ? { name } : { name, meta: requireJson('the meta of stage()', meta) };
      await this.write({ stage });
      this.events?.says(this.stored, this.attempt, { stage });
    });
  }

  /**
   * Says how far the work is: a percentage from 0 to 100, or an object of your own (JSON).
   *
   * @throws {@link InvalidArgumentError}; {@link AttemptEndedError}.
   */
  progress(value: number | object): Promise<void> {
    return this.tell('progress', async () => {
      const isAllowed = typeof value === 'number' ? value >= 0 && value <= 100 : isObject(value);
      if (!isAllowed) throw invalidArgument('progress', 'a number from 0 to 100 or an object', value);
      await this.write({ progress: requireJson('progress', value) });
      this.events?.says(this.stored, this.attempt, { progress: value });
    });
  }

  /**
   * Adds a line to the job's log. It is not in the status: `jobs.queue(name).getJobLogs(id)` reads it.
   *
   * @throws {@link AttemptEndedError}
   */
  log(line: string): Promise<void> {
    return this.tell('log', async () => {
      await this.stored.log(String(line).replaceAll('\u0000', '\ufffd').toWellFormed());
    });
  }

  private write(said: Partial<ProgressRecord>): Promise<void> {
    return this.says.write(said, () => this.assertNotCutOff('progress'));
  }

  private tell(method: string, work: () => Promise<void>): Promise<void> {
    const told = (async () => {
      const doubt = this.claimInDoubt();
      if (doubt) await doubt;
      this.assertRunning(method);
      await work();
    })();
    // Often nobody awaits it; a rejection that nobody handles would end the process, and all that it runs.
    told.catch(() => {});
    return told;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
