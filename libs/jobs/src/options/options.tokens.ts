/** Provides the {@link ResolvedJobsOptions}. @internal */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-jobs:options');
