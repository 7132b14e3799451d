/** An attempt failed in a way that may pass. */
export class DeliveryFailedError extends Error {
  override readonly name = 'DeliveryFailedError';

  constructor(
    readonly code: string,
    message: string,
    /** The header of the receiver's answer. The library reads it here, and waits no less than the retry policy says. */
    readonly retryAfter?: string,
  ) {
    super(message);
  }
}

export class DeliveryTimeoutError extends Error {
  override readonly name = 'DeliveryTimeoutError';
  readonly code = 'TIMEOUT';
}
