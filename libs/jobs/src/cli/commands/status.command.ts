import type { Command } from 'commander';
import type { JobAttempt, JobErrorInfo, JobStatus } from '../../client/job-status.js';
import type { Connected } from '../command-context.js';
import type { Output } from '../output.js';
import { clipped } from '../table.js';
import { timeOf } from '../times.js';

const LONGEST_VALUE = 200;

/** @internal */
export function addStatus(program: Command, connected: Connected): void {
  program
    .command('status')
    .description('where a job stands')
    .argument('<id>', 'of the job')
    .action(
      connected(async ({ jobs, output }, id: string) => {
        const status = await jobs.job(id).status();
        output.json(status);
        show(status, output);
      }),
    );
}

function show(status: JobStatus, output: Output): void {
  output.list([
    ['id', status.id],
    ['task', status.task],
    ['queue', status.queue],
    ['state', status.cancelRequested ? `${status.state}, asked to stop` : status.state],
    ['reason', status.reason],
    ['before it', status.position],
    ['waits for', waitsFor(status)],
    ['stage', status.stage?.name],
    ['progress', valueOf(status.progress)],
    ['attempt', `${status.attempt} of ${status.maxAttempts}`],
    ['created', timeOf(status.createdAt)],
    ['due', timeOf(status.scheduledFor)],
    ['started', timeOf(status.startedAt)],
    ['finished', timeOf(status.finishedAt)],
    ['error', status.error && describe(status.error)],
    ['result', valueOf(status.result) ?? valueOf(status.resultRef)],
    ['failed job', status.failedJob],
    ['same result as', status.deduplicatedBy],
    ['redrive of', status.redriveOf],
    ['redriven as', status.redrivenAs],
    ['part of', status.parentId],
    ['tags', status.tags.join(', ')],
  ]);
  if (status.attempts.length === 0) return;
  output.line();
  output.table<JobAttempt>(
    [
      { title: 'attempt', of: ({ attempt }) => attempt, align: 'right' },
      { title: 'started', of: ({ startedAt }) => timeOf(startedAt ?? undefined) },
      { title: 'ended', of: ({ endedAt }) => timeOf(endedAt ?? undefined) },
      { title: 'error', of: ({ error, stalled }) => (stalled ? 'left behind (stalled)' : error && describe(error)) },
    ],
    status.attempts,
    '',
  );
}

function waitsFor({ waitingFor }: JobStatus): string | undefined {
  if (!waitingFor) return undefined;
  const { kind, key, until } = waitingFor;
  const named = key === undefined ? kind : `${kind} ${key}`;
  return until === undefined ? named : `${named} until ${timeOf(until)}`;
}

function describe({ name, message }: JobErrorInfo): string {
  return clipped(`${name}: ${message}`, LONGEST_VALUE);
}

function valueOf(value: unknown): string | undefined {
  return value === undefined ? undefined : clipped(JSON.stringify(value), LONGEST_VALUE);
}
