/** BullMQ's functions rely on seeing what others have committed; under a stricter isolation they fail against each other. @internal */
export const ISOLATION = 'read committed';

/** Temporary tables come last: Postgres would look for ours among them first. @internal */
export function searchPathOf(schema: string): string {
  return `"${schema}", pg_temp`;
}
