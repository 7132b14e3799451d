import type { JobsWorker } from '../backend/jobs-worker.js';

/** Looks in a row without a fetch before a worker counts as deaf. */
export const LOOKS_WITHOUT_FETCH = 5;
/** Of these the last ones must find jobs waiting: of an idle worker, the first job may be on its way. */
const LOOKS_WITH_JOBS = 2;
/** Looks in a row at one renewal of claims that is not answered. Claims end a lease after the last that was. */
const LOOKS_AT_RENEWAL = 3;

/** Looks in a row at a worker whose connections are not all ready. It ends no job before they are. */
const LOOKS_BEFORE_READY = 3;

/** Looks in a row at the end of an attempt that the store does not answer to. The claim on its job is renewed no more. */
const LOOKS_AT_END = 3;

/** What the store says: whether a worker with a free slot should have jobs of it. @internal */
export type Owed = 'nothing' | 'jobs' | 'no answer';

/** @internal */
export type WatchedWorker = Pick<
  JobsWorker,
  'name' | 'ends' | 'isReady' | 'lastFetchAt' | 'unansweredRenewal' | 'isPaused' | 'isRunning' | 'isWaitingForLimit'
>;

/** @internal */
export interface WorkerQuestions {
  /** Whether a task runs in each of the worker's slots. */
  isBusy(): boolean;
  /** Asked only of a worker that has been silent. Never rejects. */
  owed(): Promise<Owed>;
}

interface Finding {
  readonly problem: string;
  /** Whether what was not answered is. */
  readonly isOver: () => boolean;
}

/**
 * Tells a deaf worker from one that has nothing to do. It counts looks, not time: after the event loop was blocked, or
 * the process frozen, much time has passed in which no answer could have been read.
 *
 * @internal
 */
export class WorkerWatch {
  private lastFetchAt = -1;
  private silentSince = 0;
  private silentLooks = 0;
  private owedLooks = 0;
  private renewal: number | undefined;
  private renewalLooks = 0;
  private unreadyLooks = 0;
  private finding: Finding | undefined;

  constructor(
    readonly worker: WatchedWorker,
    private readonly questions: WorkerQuestions,
  ) {}

  /** What was found, until the worker is answered again. */
  get problem(): string | undefined {
    if (this.finding?.isOver()) this.finding = undefined;
    return this.finding?.problem;
  }

  /** Whether the worker has just been found deaf, or still is as long after {@link WorkerWatch.beginAnew}. */
  async look(): Promise<boolean> {
    if (!this.worker.isRunning() || this.worker.isPaused()) {
      this.beginAnew();
      return false;
    }
    const found = [this.lookAtRenewal(), this.lookAtReadiness(), this.lookAtEnds()].find((sign) => sign);
    const finding = found ?? (await this.lookAtFetches());
    if (finding) this.finding = finding;
    return finding !== undefined && this.problem !== undefined;
  }

  /** Its connection is new: what was seen of the old one says nothing of it. */
  beginAnew(): void {
    this.silentLooks = this.owedLooks = this.renewalLooks = this.unreadyLooks = 0;
    this.worker.ends.beginAnew();
  }

  private lookAtRenewal(): Finding | undefined {
    const { worker } = this;
    const { unansweredRenewal } = worker;
    if (unansweredRenewal === undefined || unansweredRenewal !== this.renewal) this.renewalLooks = 0;
    this.renewal = unansweredRenewal;
    if (unansweredRenewal === undefined || ++this.renewalLooks < LOOKS_AT_RENEWAL) return undefined;
    return {
      problem: `the claims on its running jobs could not be renewed for ${Date.now() - unansweredRenewal} ms, for want of an answer`,
      isOver: () => worker.unansweredRenewal !== unansweredRenewal,
    };
  }

  private lookAtReadiness(): Finding | undefined {
    const { worker } = this;
    if (worker.isReady || ++this.unreadyLooks < LOOKS_BEFORE_READY) return undefined;
    return {
      problem: 'its worker cannot end jobs, for want of an answer on one of its connections since it began',
      isOver: () => worker.isReady,
    };
  }

  private lookAtEnds(): Finding | undefined {
    const ends = this.worker.ends.look(LOOKS_AT_END);
    if (!ends) return undefined;
    const { unanswered, since } = ends;
    return {
      problem: `that attempts ended (${unanswered}) could not be told for ${Date.now() - since} ms, for want of an answer`,
      isOver: () => ends.unanswered === 0,
    };
  }

  private async lookAtFetches(): Promise<Finding | undefined> {
    const { worker } = this;
    if (worker.lastFetchAt !== this.lastFetchAt || worker.isWaitingForLimit || this.questions.isBusy()) {
      this.lastFetchAt = worker.lastFetchAt;
      this.silentLooks = this.owedLooks = 0;
      this.silentSince = Date.now();
      return undefined;
    }
    this.silentLooks++;
    if (this.silentLooks <= LOOKS_WITHOUT_FETCH - LOOKS_WITH_JOBS) return undefined;
    const owed = await this.questions.owed();
    this.owedLooks = owed === 'nothing' ? 0 : this.owedLooks + 1;
    if (this.silentLooks < LOOKS_WITHOUT_FETCH || this.owedLooks < LOOKS_WITH_JOBS) return undefined;
    const silence = `its worker has a free slot and fetched nothing for ${Date.now() - this.silentSince} ms`;
    const { lastFetchAt } = worker;
    return {
      problem:
        owed === 'jobs' ? `jobs wait, but ${silence}` : `${silence}, and the store does not say whether jobs wait`,
      isOver: () => worker.lastFetchAt !== lastFetchAt,
    };
  }
}
