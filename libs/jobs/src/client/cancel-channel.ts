/** On which the workers of the fleet are told that jobs which they may run are cancelled. @internal */
export const CANCEL_CHANNEL = 'cancel';

/** Ids of jobs. What they are cancelled for stands in the jobs themselves. @internal */
export type CancelMessage = {
  readonly queue: string;
  readonly ids: string[];
};

/** @internal */
export function isCancelMessage(message: unknown): message is CancelMessage {
  const { queue, ids } = (message ?? {}) as Partial<CancelMessage>;
  return typeof queue === 'string' && Array.isArray(ids) && ids.every((id) => typeof id === 'string');
}
