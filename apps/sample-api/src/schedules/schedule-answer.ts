import { type JobState, type JobStatus, nextTimes, type ScheduleInfo, type ScheduleRun } from 'nestjs-jobs';
import type { GenerateReport, ReportSource, ReportSummary } from '../reports/generate-report.payload.js';

/** A schedule as its user sees it. */
export interface ScheduleAnswer {
  name: string;
  description: string;
  cron: string;
  timeZone: string;
  dataset: string;
  groupBy: string;
  measure: string;
  state: ScheduleInfo['state'];
  /** The next five times; none while it is paused. */
  next: string[];
  createdAt: string;
  pausedAt?: string;
  /** Reports that were started at their times. */
  sent: number;
  /** Times for which none was, since the service was down. */
  missed: number;
  /** Times for which none was, since the report before was still being made. */
  skipped: number;
  /** How late (ms) the last one was started. */
  lag?: number;
}

/** A report that a schedule has started. */
export interface RunAnswer extends Omit<ScheduleRun, 'state'> {
  pollUrl: string;
  /** Null when the job is not kept any more. */
  state: JobState | null;
  files?: ReportSummary['files'];
}

export interface ScheduleWithRuns extends ScheduleAnswer {
  /** The last 20, the newest first. */
  runs: RunAnswer[];
}

export function scheduleAnswer(info: ScheduleInfo): ScheduleAnswer {
  const { name, description, state, createdAt, pausedAt, sent, missedCount, skippedCount, lag } = info;
  const { source, groupBy, measure } = info.payload as GenerateReport;
  const times = { cron: info.cron!, timeZone: info.timeZone! };
  return {
    name,
    description: description!,
    ...times,
    dataset: (source as Extract<ReportSource, { kind: 'dataset' }>).name,
    groupBy,
    measure,
    state,
    next: state === 'active' ? nextTimes(times).map((time) => time.toISOString()) : [],
    createdAt,
    ...(pausedAt !== undefined && { pausedAt }),
    sent,
    missed: missedCount,
    skipped: skippedCount,
    ...(lag !== undefined && { lag }),
  };
}

/** @param statuses - of the jobs of its runs. */
export function scheduleWithRuns(info: ScheduleInfo, statuses: Record<string, JobStatus | null>): ScheduleWithRuns {
  return { ...scheduleAnswer(info), runs: info.runs.map((run) => runAnswer(run, statuses[run.id] ?? null)) };
}

function runAnswer(run: ScheduleRun, status: JobStatus | null): RunAnswer {
  const summary = status?.state === 'succeeded' ? (status.result as ReportSummary) : undefined;
  return {
    ...run,
    pollUrl: `/jobs/${run.id}`,
    state: status?.state ?? null,
    ...(summary && { files: summary.files }),
  };
}
