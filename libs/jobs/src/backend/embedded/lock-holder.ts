import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What a lock file says about the process that holds the lock. @internal */
export interface LockHolder {
  /** Of this lock alone: one process may take several. */
  readonly id: string;
  readonly pid: number;
  readonly hostname: string;
  /** When it took the lock, as an ISO time: for people to read. */
  readonly startedAt: string;
  /** On Linux, when the process started, in clock ticks since boot: a later process with the same pid differs in it. */
  readonly processStart?: string;
  /** On Linux, within what the pid counts: containers may share a hostname, and then each has its own pid 1. */
  readonly pidNamespace?: string;
}

/** A holder on another host touches its lock file more often than this, in ms, or it is dead. @internal */
export const HEARTBEAT_LIMIT = 30_000;

/** A new holder that is this process. @internal */
export function newHolder(): LockHolder {
  return {
    id: randomUUID(),
    pid: process.pid,
    hostname: hostname(),
    startedAt: new Date().toISOString(),
    processStart: processStart(process.pid),
    pidNamespace: ownPidNamespace(),
  };
}

/** Whether the holder is a lock of this very process. @internal */
export function isThisProcess(holder: LockHolder): boolean {
  return holder.pid === process.pid && canSee(holder) && isLiving(holder);
}

/** @param sinceHeartbeat Age of the lock file, in ms. @internal */
export function isDead(holder: LockHolder, sinceHeartbeat: number): boolean {
  return canSee(holder) ? !isLiving(holder) : sinceHeartbeat > HEARTBEAT_LIMIT;
}

/** Whether the holder's pid means anything to this process. */
function canSee(holder: LockHolder): boolean {
  return holder.hostname === hostname() && (holder.pidNamespace ?? ownPidNamespace()) === ownPidNamespace();
}

function isLiving({ pid, processStart: start }: LockHolder): boolean {
  return exists(pid) && (start === undefined || start === processStart(pid));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    // A zombie is dead, although its pid exists until its parent asks for it.
    return state === 'Z' ? undefined : startTime;
  } catch {
    return undefined;
  }
}

function ownPidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
