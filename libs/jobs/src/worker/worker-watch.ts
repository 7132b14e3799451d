import type { JobsWorker } from '../backend/jobs-worker.js';

/** Looks in a row without a fetch before a worker counts as deaf. */
export const LOOKS_WITHOUT_FETCH = 5;
/** Of these the last ones must find jobs waiting: of an idle worker, the first job may be on its way. */
const LOOKS_WITH_JOBS = 2;
/** Looks in a row at one renewal of claims that is not answered. Claims end a lease after the last that was. */
const LOOKS_AT_RENEWAL = 3;

/** Looks in a row at a worker whose connections are not all ready. It ends no job before they are. */
const LOOKS_BEFORE_READY = 3;

/** What the store says: whether a worker with a free slot should have jobs of it. @internal */
export type Owed = 'nothing' | 'jobs' | 'no answer';

/** @internal */
export type WatchedWorker = Pick<
  JobsWorker,
  'name' | 'isReady' | 'lastFetchAt' | 'unansweredRenewal' | 'isPaused' | 'isRunning' | 'isWaitingForLimit'
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
  readonly fetchAt: number;
  readonly renewal: number | undefined;
  readonly isReady: boolean;
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
    const { finding, worker } = this;
    if (!finding) return undefined;
    const wasAnswered = finding.renewal !== undefined && finding.renewal !== worker.unansweredRenewal;
    const isAnswered = worker.isReady ? !finding.isReady || worker.lastFetchAt !== finding.fetchAt : false;
    if (isAnswered || wasAnswered) this.finding = undefined;
    return this.finding?.problem;
  }

  /** Whether the worker has just been found deaf, or still is as long after {@link WorkerWatch.beginAnew}. */
  async look(): Promise<boolean> {
    if (!this.worker.isRunning() || this.worker.isPaused()) {
      this.beginAnew();
      return false;
    }
    const problem = this.lookAtRenewal() ?? this.lookAtReadiness() ?? (await this.lookAtFetches());
    if (problem === undefined) return false;
    const { lastFetchAt: fetchAt, isReady } = this.worker;
    const renewal = this.renewalLooks >= LOOKS_AT_RENEWAL ? this.renewal : undefined;
    this.finding = { problem, fetchAt, renewal, isReady };
    return this.problem !== undefined;
  }

  /** Its connection is new: what was seen of the old one says nothing of it. */
  beginAnew(): void {
    this.silentLooks = this.owedLooks = this.renewalLooks = this.unreadyLooks = 0;
  }

  private lookAtRenewal(): string | undefined {
    const { unansweredRenewal } = this.worker;
    if (unansweredRenewal === undefined || unansweredRenewal !== this.renewal) this.renewalLooks = 0;
    this.renewal = unansweredRenewal;
    if (unansweredRenewal === undefined || ++this.renewalLooks < LOOKS_AT_RENEWAL) return undefined;
    return `the claims on its running jobs could not be renewed for ${Date.now() - unansweredRenewal} ms, for want of an answer`;
  }

  private lookAtReadiness(): string | undefined {
    if (this.worker.isReady || ++this.unreadyLooks < LOOKS_BEFORE_READY) return undefined;
    return 'its worker cannot end jobs, for want of an answer on one of its connections since it began';
  }

  private async lookAtFetches(): Promise<string | undefined> {
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
    return owed === 'jobs' ? `jobs wait, but ${silence}` : `${silence}, and the store does not say whether jobs wait`;
  }
}
