import { Injectable } from '@nestjs/common';
import { JobsService, Task, task, type JobsModuleOptions } from 'nestjs-jobs';
import type { TestBackend } from './backends.js';
import { eventually } from './eventually.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';
import { signal, type Signal } from './signals.js';

/** Tasks of which is known how many run at the same time. */
@Injectable()
export class Lanes {
  static gate: Signal;
  static running = 0;
  static most = 0;
  static ran: string[] = [];

  static reset(): void {
    Lanes.gate = signal();
    Lanes.running = Lanes.most = 0;
    Lanes.ran = [];
  }

  @Task({ name: 'lanes.gated', queue: 'lanes' })
  async gated(): Promise<void> {
    Lanes.most = Math.max(Lanes.most, ++Lanes.running);
    await Lanes.gate.reached;
    Lanes.running--;
  }

  @Task({ name: 'lanes.quick', queue: 'lanes' })
  async quick(text: string): Promise<string> {
    Lanes.most = Math.max(Lanes.most, ++Lanes.running);
    Lanes.ran.push(text);
    await new Promise((resolve) => setTimeout(resolve, 5));
    Lanes.running--;
    return text;
  }

  @Task({ name: 'lanes.elsewhere', queue: 'other' })
  elsewhere(): void {}
}

export const gated = task(Lanes, 'gated');
export const quick = task(Lanes, 'quick');
export const elsewhere = task(Lanes, 'elsewhere');

/** An app with the queues of the lanes. */
export function start(backend: TestBackend, options: JobsModuleOptions = {}): Promise<JobsApp> {
  const queues = { lanes: { concurrency: 2 }, other: {}, ...options.queues };
  return startJobsApp({ backend, providers: [Lanes], options: { ...options, queues } });
}

/** The id of the only process. */
export async function idOf(jobs: JobsService): Promise<string> {
  const [process] = await eventually(async () => {
    const processes = await jobs.fleet.processes();
    return processes.length === 1 && processes;
  });
  return process!.id;
}

/** Has jobs done, and answers what became of them. */
export async function run(jobs: JobsService, texts: string[]): Promise<string[]> {
  const handles = await jobs.enqueueMany(texts.map((text) => ({ task: quick, payload: text })));
  return Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
}

export const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `n${n}`);
