import { Inject, Injectable } from '@nestjs/common';
import { WaitingError } from 'bullmq';
import type { StoredJob } from '../client/envelope.js';
import { jsonSizeOver } from '../client/json-size.js';
import { resultIn } from '../client/stored-result.js';
import { REFUSED_FOR, type Tell } from '../client/tell.js';
import type { AttemptOutcome } from '../execution/attempt-outcome.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { CanvasNodes } from './canvas-nodes.js';
import { ChildResults } from './child-results.js';
import type { PlacedCanvas } from './placed-canvas.js';

/** What of a canvas the jobs of tasks need. @internal */
@Injectable()
export class CanvasMembers {
  constructor(
    private readonly results: ChildResults,
    private readonly nodes: CanvasNodes,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
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

  /**
   * Of a job that is about to fail for good: from now on its payload stands in the job itself, for handlers of failures,
   * for whoever looks at the dead letter, and for the job that does it again. What cannot be made a payload stays apart.
   */
  async keepPayload(job: StoredJob, tell: Tell): Promise<void> {
    const { c } = job.data;
    if (c?.j === undefined) return;
    const { j: _made, ...rest } = c;
    const made = await this.payloadOf(job, tell);
    if (!('payload' in made) || jsonSizeOver(made.payload, this.options.maxPayloadSize) !== undefined) return;
    try {
      await tell(() => job.updateData({ ...job.data, p: made.payload, c: rest }), REFUSED_FOR);
    } catch (error) {
      // It was given back; a mere refusal must not keep the job from failing as it did.
      if (error instanceof WaitingError) throw error;
    }
  }

  /** A job that has replaced itself, and was fetched again: when that is done, or after a crash. */
  async replaced(job: StoredJob, canvas: PlacedCanvas, tell: Tell): Promise<AttemptOutcome> {
    let result: { readonly value: unknown } | undefined;
    await tell(async () => {
      result = await this.nodes.resultOfReplacement(job);
    });
    if (!result) return { kind: 'replaced', canvas };
    return { kind: 'succeeded', result: job.data.k === 0 ? null : resultIn(result.value) };
  }
}
