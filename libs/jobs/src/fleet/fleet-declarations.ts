import { resolve } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { LedgerValue } from '../backend/ledger.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { INTERNAL_QUEUE } from '../canvas/canvas-part.js';
import { RateLimits } from '../limits/rate-limits.js';
import type { ResolvedJobsOptions, ResolvedResultStore } from '../options/jobs-options.js';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';

/** @internal */
export const DECLARED_QUEUES = 'declared-queues';
/** @internal */
export const DECLARED_LIMITS = 'declared-limits';
/** @internal */
export const DECLARED_OPTIONS = 'declared-options';
/** Its one record: that of whichever process said it last. @internal */
export const FLEET_OPTIONS = 'fleet';

/** Milliseconds. A queue whose last process is gone for longer is taken for one that is not used any more. */
const KEPT_FOR = 31 * 24 * 3_600_000;
const RENEWED_AFTER = 600_000;
/** Names that code makes up as it goes must not fill the store. */
const MOST_LIMITS = 500;

/**
 * Writes down what this process declares: its queues, its limits, and the options that are one value for the whole fleet.
 * Who controls the fleet without being an app of it, as the command line does, cannot know them otherwise.
 *
 * @internal
 */
@Injectable()
export class FleetDeclarations {
  /** By collection and key. */
  private readonly written = new Map<string, { readonly json: string; readonly at: number }>();
  private readonly named = new Set<string>();

  constructor(
    private readonly limits: RateLimits,
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedJobsOptions,
  ) {}

  /** What is new, and what has to be renewed: most calls write nothing. */
  async announce(): Promise<void> {
    for (const [collection, key, value] of this.declared()) {
      const id = JSON.stringify([collection, key]);
      const json = JSON.stringify(value);
      const before = this.written.get(id);
      const now = performance.now();
      if (before?.json === json && now - before.at < RENEWED_AFTER) continue;
      await this.backend.ledger.put(collection, key, value, KEPT_FOR);
      this.written.set(id, { json, at: now });
    }
  }

  private isNamed(limit: string): boolean {
    if (this.named.size < MOST_LIMITS) this.named.add(limit);
    return this.named.has(limit);
  }

  private declared(): [collection: string, key: string, value: LedgerValue][] {
    const { queues, defaultQueue, lease, keepFor, keepFailedFor, maxPayloadSize, unknownTaskGrace } = this.options;
    const names = [...queues.keys()].filter((name) => name !== INTERNAL_QUEUE);
    const limits = [...this.limits.declarations].filter(([name]) => this.isNamed(name));
    const results = placeOf(this.options.resultStore);
    const shared = { defaultQueue, lease, keepFor, keepFailedFor, maxPayloadSize, unknownTaskGrace, results };
    return [
      [DECLARED_OPTIONS, FLEET_OPTIONS, shared],
      ...names.map((name) => [DECLARED_QUEUES, name, {}] as [string, string, LedgerValue]),
      ...limits.map(([name, rule]) => [DECLARED_LIMITS, name, { ...rule }] as [string, string, LedgerValue]),
    ];
  }
}

/** Where results are that another process can read without secrets; null when it cannot. */
function placeOf(store: ResolvedResultStore | undefined): LedgerValue {
  if (store?.kind === 'table') return 'table';
  return store?.kind === 'files' && store.directory !== undefined ? { files: resolve(store.directory) } : null;
}
