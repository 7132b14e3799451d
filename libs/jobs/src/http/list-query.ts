import { BadRequestException } from '@nestjs/common';
import type { JobListOptions } from '../client/job-list-options.js';
import type { PlatformRequest } from './platform.js';

/** What a query asks for; whether it makes sense is checked with the rest of the options. @internal */
export function readListQuery({ query }: PlatformRequest): JobListOptions {
  const { task, state, tag, queue, limit, cursor, ...others } = (query ?? {}) as Record<string, unknown>;
  const asked = { task, state: listOf(state), tag, queue, limit: numberOf(limit), cursor };
  refuseBrackets(Object.keys(others), Object.keys(asked));
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as JobListOptions;
}

/** `state[]=failed`, as some clients write lists, would be answered with the jobs of all states. */
function refuseBrackets(others: readonly string[], names: readonly string[]): void {
  for (const name of names) {
    const wrong = others.find((other) => other.startsWith(`${name}[`));
    if (wrong === undefined) continue;
    const fix = name === 'state' ? 'state=failed,cancelled' : `${name}=`;
    throw new BadRequestException(`There is no parameter "${wrong.slice(0, 60)}": write ${fix} without brackets.`);
  }
}

/** `state=pending,running`, and `state=pending&state=running`. */
function listOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.flatMap((each) => listOf(each));
  return typeof value === 'string' ? value.split(',') : value;
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
}
