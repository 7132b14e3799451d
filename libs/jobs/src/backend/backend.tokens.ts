/** Provides the {@link QueueBackend}. @internal */
export const QUEUE_BACKEND = Symbol.for('nestjs-jobs:backend');
