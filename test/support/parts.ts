import { Injectable } from '@nestjs/common';
import {
  JobContext,
  NonRetryableError,
  OnFailure,
  Signature,
  Task,
  task,
  type CanvasFailure,
  type CanvasJson,
  type JobFailure,
} from 'nestjs-jobs';
import { eventually } from './eventually.js';
import type { JobsApp } from './jobs-app.js';
import { signal, type Signal } from './signals.js';

/** What a task of {@link Parts} was called with, and as which job. */
export interface Told {
  readonly at: string;
  readonly value: unknown;
  readonly id: string;
  readonly attempt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly rootId: string;
  readonly parentId: string | undefined;
}

interface Gate {
  readonly entered: Signal<string>;
  readonly open: Signal;
}

/** Parts of canvases that tell of their runs. Each test has names of its own. */
@Injectable()
export class Parts {
  readonly all: Told[] = [];
  readonly handled: JobFailure[] = [];
  private readonly gates = new Map<string, Gate>();

  /** The runs of one name, in the order of their beginnings. */
  told(at: string): Told[] {
    return this.all.filter((told) => told.at === at);
  }

  values(at: string): unknown[] {
    return this.told(at).map(({ value }) => value);
  }

  gate(name: string): Gate {
    const gate: Gate = { entered: signal<string>(), open: signal() };
    this.gates.set(name, gate);
    return gate;
  }

  @Task()
  async tell({ at, value }: { at: string; value: unknown }, job: JobContext): Promise<unknown> {
    const { id, attempt, headers, tags, rootId, parentId } = job;
    this.all.push({ at, value, id, attempt, headers, tags, rootId, parentId });
    return value;
  }

  /** Its first attempt fails. */
  @Task({ retry: { attempts: 2, delay: 1 } })
  async tellAgain(payload: { at: string; value: unknown }, job: JobContext): Promise<unknown> {
    await this.tell(payload, job);
    if (job.attempt === 1) throw new Error('not at once');
    return payload.value;
  }

  /** Stays until its gate is opened, or it is asked to stop. */
  @Task({ retry: { attempts: 1 } })
  async hold({ at, value = at }: { at: string; value?: unknown }, job: JobContext): Promise<unknown> {
    await this.tell({ at, value }, job);
    const gate = this.gates.get(at)!;
    gate.entered.reach(job.id);
    const stopped = new Promise<never>((_, reject) => {
      job.signal.addEventListener('abort', () => reject(job.signal.reason as Error));
    });
    await Promise.race([gate.open.reached, stopped]);
    return value;
  }

  /** Stays until its gate is opened, whoever asks it to stop. */
  @Task({ retry: { attempts: 1 } })
  async insist({ at }: { at: string }, job: JobContext): Promise<string> {
    await this.tell({ at, value: at }, job);
    const gate = this.gates.get(at)!;
    gate.entered.reach(job.id);
    await gate.open.reached;
    return at;
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  async fail({ at, value }: { at: string; value?: unknown }, job: JobContext): Promise<unknown> {
    await this.tell({ at, value }, job);
    throw Object.assign(new TypeError(`${at} failed`), { code: 'E_PART' });
  }

  @Task()
  async failAtOnce({ at, value }: { at: string; value?: unknown }, job: JobContext): Promise<unknown> {
    await this.tell({ at, value }, job);
    throw new NonRetryableError(`${at} failed`, { code: 'E_PART' });
  }

  @Task({ retry: { attempts: 2, delay: 1 } })
  async replace({ at, by }: { at: string; by: CanvasJson }, job: JobContext): Promise<unknown> {
    await this.tell({ at, value: null }, job);
    return job.replaceWith(Signature.from(by));
  }

  @OnFailure({ tasks: ['Parts.*'] })
  async onFailure(failure: JobFailure): Promise<void> {
    this.handled.push(failure);
  }
}

const refs = {
  tell: task(Parts, 'tell'),
  tellAgain: task(Parts, 'tellAgain'),
  hold: task(Parts, 'hold'),
  insist: task(Parts, 'insist'),
  fail: task(Parts, 'fail'),
  failAtOnce: task(Parts, 'failAtOnce'),
  replace: task(Parts, 'replace'),
};
export const { tell, tellAgain, hold, insist, fail, failAtOnce, replace } = refs;

/** A part that hands on what it gets, and tells of it. */
export function pass(at: string): Signature<unknown, unknown> {
  return tell.s({ at }, { into: 'value' });
}

/** A part that needs nothing, and gives its name. */
export function give(at: string): Signature<unknown, unknown> {
  return tell.si({ at, value: at });
}

export function breaks(at: string): Signature<unknown, unknown> {
  return failAtOnce.si({ at });
}

/** What errbacks were told, in the order of their beginnings. */
export function failuresAt(parts: Parts, at: string): CanvasFailure[] {
  return parts.values(at) as CanvasFailure[];
}

/** Resolves when nothing waits or runs in any of these queues: whatever was to be called has been called by then. */
export async function quiet(
  { jobs }: JobsApp,
  queues: readonly string[] = ['default', 'jobs-internal'],
): Promise<void> {
  await eventually(
    async () => {
      // Twice, since a job may have added one to a queue that was looked at before.
      for (let look = 0; look < 2; look++) {
        for (const name of queues) {
          const counts = await jobs.queue(name).getJobCounts();
          const { completed: _done, failed: _lost, ...open } = counts;
          if (Object.values(open).some((count) => count > 0)) throw new Error(`${name}: ${JSON.stringify(counts)}`);
        }
      }
    },
    { timeout: 30_000 },
  );
}
