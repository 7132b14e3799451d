/**
 * Milliseconds on the one monotonic clock of the machine, so that what two processes read can be compared.
 * `performance.timeOrigin` cannot: each process reads it from the wall clock when it starts.
 */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Microseconds that all threads of this process computed since `since`. */
export function cpuSince(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}
