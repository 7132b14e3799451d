/**
 * Tells the store something of a job, and waits for it while it is away.
 *
 * @param insistFor - milliseconds for which it is told again also when it refuses. Default 0.
 * @internal
 */
export type Tell = (work: () => Promise<void>, insistFor?: number) => Promise<void>;

/** How long (ms) it makes sense to insist: with its memory full, a store refuses some writes and takes others. @internal */
export const REFUSED_FOR = 600_000;

/** Whether BullMQ says that the job is not there, or not this worker's, any more: then insisting is no use. @internal */
export function isLossOfJob(error: unknown): boolean {
  return typeof (error as { code?: unknown } | null)?.code === 'number';
}
