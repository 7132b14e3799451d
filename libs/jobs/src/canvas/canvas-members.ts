import { Injectable } from '@nestjs/common';
import { WaitingError } from 'bullmq';
import type { StoredJob } from '../client/envelope.js';
import type { Tell } from '../client/tell.js';
import { unpackResult } from '../client/stored-result.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import { CanvasNodes } from './canvas-nodes.js';
import { ChildResults } from './child-results.js';
import type { PlacedCanvas } from './placed-canvas.js';

/** What of a canvas the jobs of tasks need. @internal */
@Injectable()
export class CanvasMembers {
  constructor(
    private readonly results: ChildResults,
    private readonly nodes: CanvasNodes,
  ) {}

  /** The payload that is made of the results of others; or why it cannot be. */
  async payloadOf(job: StoredJob, tell: Tell): Promise<{ payload: unknown } | { error: unknown }> {
    let payload: unknown;
    try {
      await tell(async () => {
        payload = await this.results.payloadOf(job);
      });
      return { payload };
    } catch (error) {
      // It was given back.
      if (error instanceof WaitingError) throw error;
      return { error };
    }
  }

  /** A job that has replaced itself, and was fetched again: when that is done, or after a crash. */
  async replaced(job: StoredJob, canvas: PlacedCanvas, tell: Tell): Promise<AttemptOutcome> {
    let result: { readonly value: unknown } | undefined;
    await tell(async () => {
      result = await this.nodes.resultOfReplacement(job);
    });
    return result ? { kind: 'succeeded', result: unpackResult(result.value).result } : { kind: 'replaced', canvas };
  }
}

type Handler = (payload: unknown, context: never) => Promise<unknown>;

/** Runs a task for each item of a list, one after another. @internal */
export function forEach<H extends Handler>(handler: H): H {
  const all = async (payload: unknown, context: never): Promise<unknown[]> => {
    const results: unknown[] = [];
    for (const item of payload as unknown[]) results.push((await handler(item, context)) ?? null);
    return results;
  };
  return all as H;
}
