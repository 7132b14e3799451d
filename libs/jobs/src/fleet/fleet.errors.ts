/**
 * No live process has this id, this `host:pid`, or an id that begins so. It has ended, or its last sign of life is longer
 * ago than a lease.
 *
 * @publicApi
 */
export class ProcessNotFoundError extends Error {
  override readonly name = 'ProcessNotFoundError';

  /** @internal */
  constructor(readonly process: string) {
    super(`No live process of the fleet is ${JSON.stringify(process)}.`);
  }
}

/**
 * A process did not say in time that it has done what it was asked for. It may do it still: its event loop may be
 * blocked, or it may have lost its connection.
 *
 * @publicApi
 */
export class ProcessNotAnsweringError extends Error {
  override readonly name = 'ProcessNotAnsweringError';

  /**
   * @internal
   * @param processes - ids of those that did not answer.
   */
  constructor(
    readonly processes: readonly string[],
    timeout: number,
  ) {
    const they = processes.length === 1 ? 'Process' : 'Processes';
    super(`${they} ${processes.join(', ')} did not answer within ${timeout} ms, and may do it still or not.`);
  }
}

/** A process will not do what it was asked for. Nothing was changed. @publicApi */
export class ProcessRefusedError extends Error {
  override readonly name = 'ProcessRefusedError';

  /** @internal */
  constructor(
    readonly process: string,
    reason: string,
  ) {
    super(`Process ${process} refuses: ${reason}.`);
  }
}
