/** Tells the store something of a job, and waits for it while it is away. @internal */
export type Tell = (work: () => Promise<void>) => Promise<void>;
