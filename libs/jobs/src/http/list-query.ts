import type { JobListOptions } from '../client/job-list-options.js';
import type { PlatformRequest } from './platform.js';

/** What a query asks for; whether it makes sense is checked with the rest of the options. @internal */
export function readListQuery({ query }: PlatformRequest): JobListOptions {
  const { task, state, tag, queue, limit, cursor } = (query ?? {}) as Record<string, unknown>;
  const asked = { task, state: listOf(state), tag, queue, limit: numberOf(limit), cursor };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as JobListOptions;
}

/** `state=pending,running`, and `state=pending&state=running`. */
function listOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.flatMap((each) => listOf(each));
  return typeof value === 'string' ? value.split(',') : value;
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
}
