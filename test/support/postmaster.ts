import { readFileSync } from 'node:fs';
import { processesShowing } from './services/processes.mjs';

/** A postmaster with all its children, which answer without it; they show the same cluster. */
export function childrenToo(postmaster: number): number[] {
  const title = readFileSync(`/proc/${postmaster}/cmdline`, 'utf8');
  const cluster = /cluster_name=(\S+?)\0/.exec(title)![1]!;
  return [postmaster, ...processesShowing(cluster).filter((pid) => pid !== postmaster)];
}
