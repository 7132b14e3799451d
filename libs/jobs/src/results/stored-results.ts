import { randomBytes } from 'node:crypto';
import { addAbortSignal, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { withTimeout } from '../backend/with-timeout.js';
import { isResultKey } from './result-key.js';
import { RESULT_STORES, type ResultStores } from './open-result-store.js';
import {
  isReference,
  isSettledReference,
  KeptElsewhere,
  resultKey,
  type KeptAs,
  type ResultOwner,
  type ResultReference,
} from './result-reference.js';
import type { ResultBody } from './result-body.js';
import type { ByteRange, ResultStore, WrittenResult } from './result-store.js';
import { ResultStream } from './result-stream.js';
import { ResultGoneError, ResultStoreError } from './result.errors.js';
import { WholeBody } from './whole-body.js';

const COLLECTION = 'results';
const HOME = 'home';
/** Bytes in a millisecond of a store that is read from. */
const SLOWEST = 100;
/** `<home>/<queue>/<job>/<name>` */
const REF = /^([0-9a-f]{16})\/(.+)$/s;

const SHA256 = /^[0-9a-f]{64}$/;

/** How a result is to be kept. @internal */
export interface Keeping {
  readonly as: KeptAs;
  readonly contentType: string;
  /** Milliseconds since the epoch: also longer than its job. */
  readonly until?: number | undefined;
}

/** For how long JSON is waited for. @internal */
export interface Patience {
  /** Milliseconds. */
  readonly timeout: number;
  readonly onTimeout: () => Error;
}

/** As {@link ResultBody}, which alone knows what went through it. */
type Body = Readable & Partial<Pick<ResultBody, 'failure' | 'counted'>>;

/** Results that are too large for the queue. @internal */
@Injectable()
export class StoredResults {
  private home: Promise<string> | undefined;
  /** Milliseconds, beside those for its size. */
  private readonly answersWithin = 60_000;

  constructor(
    @Inject(RESULT_STORES) private readonly stores: ResultStores | undefined,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
  ) {}

  /** Whether there is a store. */
  get isOn(): boolean {
    return this.stores !== undefined;
  }

  /** Under which one process sweeps for all those that look in the same place. */
  get claim(): string {
    return this.required().claim ?? 'results';
  }

  /** @throws {@link ResultStoreError}; what kept the body from being whole, as it is. */
  async write(owner: ResultOwner, body: Body, { as, contentType, until }: Keeping): Promise<KeptElsewhere> {
    const { place } = this.required();
    try {
      const home = await this.ownHome();
      const key = resultKey(owner, as, randomBytes(16).toString('hex'), until);
      const written = await this.required().in(home).write(key, body, contentType);
      assertWhole(written, body);
      const { size, sha256 } = written;
      return new KeptElsewhere({ ref: `${home}/${key}`, size, contentType, sha256 });
    } catch (error) {
      body.destroy();
      throw body.failure ?? new ResultStoreError(`writing the result of job "${owner.id}" to`, place, error);
    }
  }

  /** @throws {@link ResultGoneError}, {@link ResultStoreError} */
  async open({ ref, size }: Pick<ResultReference, 'ref' | 'size'>, range?: ByteRange): Promise<Readable> {
    const [, home, key] = REF.exec(ref) ?? [];
    const place = this.stores?.place ?? 'results.store, which is false';
    // A reference may come from anybody: no store sees a key that leads elsewhere.
    if (!this.stores || home === undefined || !isResultKey(key)) throw new ResultGoneError(ref, place);
    const failed = (error: unknown): Error => new ResultStoreError(`reading the result "${ref}" from`, place, error);
    let body: Readable | undefined;
    try {
      body = await this.stores.in(home).read(key, range);
    } catch (error) {
      throw failed(error);
    }
    if (!body) throw new ResultGoneError(ref, place);
    return WholeBody.of(body, range ? range.end - range.start + 1 : size, failed);
  }

  /** What a task returned: JSON as it is, anything else as a stream. */
  async value(kept: KeptElsewhere, patience?: Patience): Promise<unknown> {
    return kept.isJson ? this.json(kept.reference, patience) : this.stream(kept.reference);
  }

  stream(reference: ResultReference): ResultStream {
    return new ResultStream(reference, () => this.open(reference));
  }

  /** The results of a group, with streams of what its members returned as a Buffer or a stream. */
  membersOf(results: readonly unknown[]): unknown[] {
    return results.map((result) => this.memberOf(result));
  }

  private memberOf(result: unknown): unknown {
    if (Array.isArray(result)) return this.membersOf(result);
    if (isReference(result)) return this.stream(result);
    return isSettledReference(result) ? { ...result, value: this.stream(result.value) } : result;
  }

  /** What the task that comes next gets of it. */
  async payload(kept: KeptElsewhere): Promise<unknown> {
    return kept.isJson ? this.json(kept.reference) : kept.reference;
  }

  /** The part of the store that is this app's. */
  async own(): Promise<ResultStore> {
    return this.required().in(await this.ownHome());
  }

  /** Not for ever: what waits for a payload holds a slot, and has no time limit yet. */
  private json(reference: ResultReference, patience = this.patienceFor(reference)): Promise<unknown> {
    const left = new AbortController();
    return withTimeout(this.readJson(reference, left.signal), patience.timeout, () => {
      left.abort();
      return patience.onTimeout();
    });
  }

  private patienceFor({ ref, size }: ResultReference): Patience {
    const timeout = this.answersWithin + size / SLOWEST;
    const late = new Error(`it was not read within ${Math.ceil(timeout)} ms`);
    return {
      timeout,
      onTimeout: () => new ResultStoreError(`reading the result "${ref}" from`, this.required().place, late),
    };
  }

  private async readJson(reference: ResultReference, left: AbortSignal): Promise<unknown> {
    const { place } = this.required();
    const body = addAbortSignal(left, await this.open(reference));
    try {
      return JSON.parse((await buffer(body)).toString()) as unknown;
    } catch (error) {
      if (error instanceof ResultStoreError) throw error;
      throw new ResultStoreError(`reading the result "${reference.ref}" from`, place, error);
    }
  }

  private required(): ResultStores {
    if (!this.stores) throw new Error('nestjs-jobs: there is no store of results (results.store is false).');
    return this.stores;
  }

  /** Two apps with different stores of jobs may share a directory or a bucket, and must not remove each other's results. */
  private ownHome(): Promise<string> {
    this.home ??= this.findHome().catch((error: unknown) => {
      this.home = undefined;
      throw error;
    });
    return this.home;
  }

  private async findHome(): Promise<string> {
    const made = randomBytes(8).toString('hex');
    const found = await this.backend.ledger.putIfAbsent(COLLECTION, HOME, made);
    return (found?.value as string | undefined) ?? made;
  }
}

/** What an app's own store says is what readers and ETags rely on. */
function assertWhole({ size, sha256 }: WrittenResult, { failure, counted = size }: Body): void {
  if (failure) throw failure;
  if (size !== counted) throw new Error(`it says that it has kept ${size} bytes of ${counted}`);
  if (!SHA256.test(sha256)) throw new Error(`it says that their SHA-256 is ${JSON.stringify(sha256)}`);
}
