import { Injectable } from '@nestjs/common';
import { JobNotFoundError } from '../../client/client.errors.js';
import { queueOfJobId } from '../../client/job-id.js';
import type { AwaitedJob, JobExplanation, JobReason } from '../job-explanation.js';
import type { JobPicture } from './job-picture.js';
import { PictureTaker } from './picture-taker.js';
import { wordsOf } from './reason-words.js';
import { reasonsOf } from './reasons-of.js';

/** How far down it is looked for what a job waits for: the steps of a chain wait for one another. */
const DEEPEST = 30;

/** Says why a job does not run. @internal */
@Injectable()
export class JobExplainer {
  constructor(private readonly pictures: PictureTaker) {}

  /** @throws {@link JobNotFoundError}; {@link BackendUnavailableError} within `connectTimeout`. */
  async explain(id: string): Promise<JobExplanation> {
    const queue = queueOfJobId(id);
    const picture = queue === undefined ? undefined : await this.pictures.of(queue, id);
    if (!picture) throw new JobNotFoundError(id);
    const [reason, ...also] = await this.withFirst(picture, reasonsOf(picture));
    const { task, state } = picture.status;
    return { id, task, queue: picture.status.queue, state, reason: reason!, also, message: wordsOf(reason!) };
  }

  private async withFirst(picture: JobPicture, reasons: readonly JobReason[]): Promise<JobReason[]> {
    if (!picture.surroundings.children) return [...reasons];
    const first = await this.firstBelow(picture);
    return reasons.map((reason) => (reason.kind === 'children' && first ? { ...reason, first } : reason));
  }

  /** The job that all wait for, of those that wait for one another; another than the one asked for. */
  private async firstBelow(top: JobPicture): Promise<AwaitedJob | undefined> {
    let found: JobPicture | undefined;
    for (let at = top, depth = 0; depth < DEEPEST; depth++) {
      const below = await this.firstChild(at);
      if (!below) break;
      at = found = below;
    }
    if (!found) return undefined;
    const { id, task, queue, state } = found.status;
    return { id, task, queue, state, reason: reasonsOf(found)[0] };
  }

  /** Of those that it waits for the first that has not ended; else one that has failed and does not take it along. */
  private async firstChild({ surroundings: { children } }: JobPicture): Promise<JobPicture | undefined> {
    let failed: JobPicture | undefined;
    for (const { queue, id } of children?.some ?? []) {
      // It may be gone by now.
      const child = await this.pictures.of(queue, id);
      if (child && !child.status.terminal) return child;
      if (child && child.status.state !== 'succeeded') failed ??= child;
    }
    return failed;
  }
}
