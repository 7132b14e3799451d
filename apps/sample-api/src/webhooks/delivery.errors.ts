/** An attempt failed in a way that may pass. */
export class DeliveryFailedError extends Error {
  override readonly name = 'DeliveryFailedError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export class DeliveryTimeoutError extends Error {
  override readonly name = 'DeliveryTimeoutError';
  readonly code = 'TIMEOUT';
}
