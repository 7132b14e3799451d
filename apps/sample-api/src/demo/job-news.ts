import type { JobStatus } from 'nestjs-jobs';

/** What is heard of a job. `lost`: nothing, for the moment; it is asked for again. */
export type JobNews = { kind: 'status'; status: JobStatus } | { kind: 'log'; line: string } | { kind: 'lost' };
