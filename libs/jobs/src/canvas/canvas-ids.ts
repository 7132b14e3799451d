import { createHash } from 'node:crypto';
import { newJobId } from '../client/job-id.js';

/** Of an id behind its queue; the store takes 128. */
const LONGEST = 112;
/** Those of the canvas itself: of a uuid. */
const OWN = 36;
const MEMBER = /\.(\d+)$/;
const SPAWNER = '.s';
const REPLACEMENT = '.x';

/** Where a canvas is among the jobs: the ids of its jobs begin with it, behind their queue. @internal */
export function newPath(): string {
  const id = newJobId('q');
  return id.slice('q_'.length);
}

/** @internal */
export function idAt(queue: string, path: string): string {
  return `${queue}_${path}`;
}

/** @internal */
export function pathOf(jobId: string): string {
  return jobId.slice(jobId.indexOf('_') + 1);
}

/** @internal */
export function memberPath(owner: string, n: number): string {
  return below(owner, `.${n}`);
}

/** @internal */
export function stepPath(chain: string, n: number): string {
  return below(chain, `-${n}`);
}

/** Of the job that adds members. @internal */
export function spawnerPath(owner: string): string {
  return below(owner, SPAWNER);
}

/** Of what the job at `path` is replaced by: beside its members, since the body of a chord has both. @internal */
export function replacementPath(path: string): string {
  return below(path, REPLACEMENT);
}

/** @internal */
export function relayPath(chain: string, n: number): string {
  return below(chain, `-r${n}`);
}

/** @internal */
export function callbackPath(job: string, kind: 'l' | 'e', n: number): string {
  return below(job, `-${kind}${n}`);
}

/** The place of the job that the job at `path` is a member of the group of; undefined for all others. @internal */
export function memberNumber(id: string): number | undefined {
  const n = MEMBER.exec(id)?.[1];
  return n === undefined ? undefined : Number(n);
}

/** @internal */
export function isSpawner(id: string): boolean {
  return id.endsWith(SPAWNER);
}

/** @internal */
export function isReplacement(id: string): boolean {
  return id.endsWith(REPLACEMENT);
}

/** However deep a canvas is nested, the same place has the same id, also when another process works it out. */
function below(path: string, suffix: string): string {
  if (path.length + suffix.length <= LONGEST) return path + suffix;
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 32);
  return `${path.slice(0, OWN)}-h${hash}${suffix}`;
}
