import { Inject, Injectable, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { isDeepStrictEqual } from 'node:util';
import type { LimitRule } from '../backend/limits.js';
import type { ResolvedJobsOptions } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { nameOfHandler, policyOf } from '../task/method-policies.js';
import { InvalidTaskError } from '../task/task.errors.js';
import { TaskRegistry } from '../task/task.registry.js';
import { formatLimit } from './limit-rule.js';
import { RateLimits } from './rate-limits.js';
import type { ResolvedRateLimited } from './rate-limited-options.js';

interface Declared {
  readonly place: string;
  readonly rule: LimitRule;
}

/** Tells {@link RateLimits} at boot which limits the code has. @internal */
@Injectable()
export class LimitDeclarations {
  constructor(
    private readonly registry: TaskRegistry,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly limits: RateLimits,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** @throws {InvalidTaskError} for two rules of one name: which of them counted would depend on who comes. */
  declareAll(): void {
    const declared = new Map<string, Declared>();
    const declare = (name: string, rule: LimitRule, place: string): void => {
      const first = declared.get(name);
      if (first && !isDeepStrictEqual(first.rule, rule)) {
        const rules = `${formatLimit(first.rule)} by ${first.place}`;
        const fix = 'Give both the same limit, burst and algorithm, or one of them another name';
        throw new InvalidTaskError(place, `declares the limit "${name}" otherwise than it is, ${rules}`, fix);
      }
      declared.set(name, first ?? { place, rule });
      this.limits.declare(name, rule);
    };
    for (const [queue, { rateLimit }] of this.options.queues) {
      if (rateLimit) declare(nameOfQueueLimit(queue), rateLimit, `the queue ${queue}`);
    }
    for (const { name: task, prototype, method, place } of this.registry.all()) {
      const handler = (prototype as Record<string, object>)[method]!;
      for (const { name = task, rule } of limitsOf(handler)) declare(name, rule, place);
    }
    for (const [type, handler] of this.handlers()) {
      const own = nameOfHandler(type, handler);
      for (const { name = own, rule } of limitsOf(handler)) declare(name, rule, own);
    }
  }

  private handlers(): (readonly [type: Type, handler: object & { readonly name: string }])[] {
    return this.discovery.getControllers().flatMap(({ metatype }) => {
      const prototype = (metatype as Type | null)?.prototype as Record<string, () => unknown> | undefined;
      if (!prototype) return [];
      return this.scanner.getAllMethodNames(prototype).map((method) => [metatype as Type, prototype[method]!] as const);
    });
  }
}

/** @internal */
export function nameOfQueueLimit(queue: string): string {
  return `queue:${queue}`;
}

function limitsOf(handler: object): readonly ResolvedRateLimited[] {
  return policyOf<ResolvedRateLimited>('limit', handler);
}
