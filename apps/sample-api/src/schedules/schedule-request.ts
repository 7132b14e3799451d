import { InvalidScheduleError, nextTimes } from 'nestjs-jobs';
import { z } from 'zod';
import { MOST_LISTED } from '../http/validated.js';
import { datasetRequestSchema } from '../reports/report-request.js';

const EXAMPLE =
  '{ "cron": "0 6 * * MON-FRI", "timeZone": "Europe/Berlin", "dataset": "seattle-weather", "groupBy": "weather", "measure": "precipitation" }';
const LONGEST_CRON = 100;
const LONGEST_ZONE = 64;
/** Times that are looked at for two that are too near. */
const LOOKED_AT = 60;

/** @param minInterval - milliseconds that lie between two times of a schedule at least. */
export function scheduleRequestSchema(datasets: readonly string[], minInterval: number) {
  return z
    .strictObject(
      {
        cron: z
          .string('must be given: when to make the report, as in "0 6 * * MON-FRI"')
          .trim()
          .max(LONGEST_CRON, { error: `must not be longer than ${LONGEST_CRON} characters`, abort: true }),
        timeZone: z
          .string('must be the name of a time zone, as in "Europe/Berlin"')
          .max(LONGEST_ZONE, { error: `must not be longer than ${LONGEST_ZONE} characters`, abort: true })
          .default('UTC'),
        ...datasetRequestSchema(datasets).shape,
      },
      { error: describeObject },
    )
    .superRefine(({ cron, timeZone }, context) => {
      const problem = problemOf(cron, timeZone, minInterval);
      if (problem !== undefined) context.addIssue(problem);
    });
}

export type ScheduleRequest = z.output<ReturnType<typeof scheduleRequestSchema>>;

function problemOf(cron: string, timeZone: string, minInterval: number): string | undefined {
  try {
    const times = nextTimes({ cron, timeZone }, { count: LOOKED_AT }).map((time) => time.getTime());
    const nearest = Math.min(...times.slice(1).map((time, n) => time - times[n]!));
    if (nearest >= minInterval) return undefined;
    return `The schedule fires every ${nearest / 1_000} s at its busiest, but at least ${minInterval / 1_000} s must lie between two times.`;
  } catch (error) {
    if (error instanceof InvalidScheduleError) return `The schedule ${error.problem}`;
    throw error;
  }
}

function describeObject(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown: ${issue.keys.slice(0, MOST_LISTED).join(', ')}`;
  return `Send a JSON object such as ${EXAMPLE}`;
}
