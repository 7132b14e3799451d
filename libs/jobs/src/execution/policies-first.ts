import type { NestInterceptor } from '@nestjs/common';
import type { ExternalContextCreator } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { enforcedBy, inFixedOrder } from '../task/method-policies.js';
import type { JobContext } from './job-context.js';

type Call = () => Promise<unknown>;
type Intercept = (interceptors: readonly NestInterceptor[], args: unknown[], instance: object, callback: object, next: Call, type?: string) => Promise<unknown>; // prettier-ignore

interface Inside {
  readonly interceptorsConsumer: { readonly intercept: Intercept };
}

/** Lets a job through to what comes next, or throws what becomes of it. @internal */
export type TaskPolicy = (job: JobContext, payload: unknown, next: Call) => Promise<unknown>;

/** An interceptor of ours, which does for tasks without Observables what it does for requests with them. @internal */
export interface PolicyInterceptor extends NestInterceptor {
  /** Undefined when the method has no such decorator. */
  forTask(handler: object): TaskPolicy | undefined;
}

interface Parted {
  readonly policies: readonly TaskPolicy[];
  readonly rest: readonly NestInterceptor[];
}

/**
 * The same creator, with contexts in which limits, locks and idempotency stand before all other interceptors: Nest puts
 * global ones first, and a job that only waits must not look to them like one that runs.
 *
 * @param ofQueues - comes before all others, for each task.
 * @param ofJob - comes before that, for the jobs that have one.
 * @internal
 */
export function withPoliciesFirst(
  creator: ExternalContextCreator,
  ofQueues?: TaskPolicy,
  ofJob?: (job: JobContext) => TaskPolicy | undefined,
): ExternalContextCreator {
  const { interceptorsConsumer } = creator as unknown as Inside;
  // Nest makes the list once for each method, unless something in it is made for each request.
  const known = new WeakMap<readonly NestInterceptor[], Parted>();
  const partsOf = (interceptors: readonly NestInterceptor[], handler: object): Parted => {
    let parted = known.get(interceptors);
    if (!parted) known.set(interceptors, (parted = part(interceptors, handler, ofQueues)));
    return parted;
  };
  const intercept: Intercept = (interceptors, args, instance, callback, next, type) => {
    const { policies, rest } = partsOf(interceptors, callback);
    const run = (): Promise<unknown> => interceptorsConsumer.intercept(rest, args, instance, callback, next, type);
    const job = args[1] as JobContext;
    const own = ofJob?.(job);
    if (own) return underPolicies([own, ...policies], args[0], job, run);
    return policies.length === 0 ? begin(job, run) : underPolicies(policies, args[0], job, run);
  };
  const reordered: Inside = { interceptorsConsumer: { intercept } };
  return Object.assign(Object.create(creator) as ExternalContextCreator, reordered);
}

function part(interceptors: readonly NestInterceptor[], handler: object, ofQueues: TaskPolicy | undefined): Parted {
  const ordered = inFixedOrder(interceptors);
  const count = ordered.filter((interceptor) => enforcedBy(interceptor)).length;
  const policies = ordered.slice(0, count).map((interceptor) => (interceptor as PolicyInterceptor).forTask(handler));
  const all = [ofQueues, ...policies].filter((policy) => policy !== undefined);
  return { policies: all, rest: ordered.slice(count) };
}

/**
 * Each of them may have waited for the store, or for its time: the attempt may be over by then, or be somebody else's.
 *
 * @internal
 */
export async function underPolicies(
  policies: readonly TaskPolicy[],
  payload: unknown,
  job: JobContext,
  run: Call,
  first = 0,
): Promise<unknown> {
  if (first > 0) {
    const over = await job.isOver();
    if (over) throw over;
  }
  if (first < policies.length) {
    return policies[first]!(job, payload, () => underPolicies(policies, payload, job, run, first + 1));
  }
  const value = await begin(job, run);
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value;
}

function begin(job: JobContext, run: Call): Promise<unknown> {
  const begun = job.begin();
  return begun ? begun.then(run) : run();
}
