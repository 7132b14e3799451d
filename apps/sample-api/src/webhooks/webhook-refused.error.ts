export type RefusalCode = 'URL_INVALID' | 'PORT_NOT_ALLOWED' | 'ADDRESS_NOT_ALLOWED';

/** A url that nothing is sent to, however often it is tried. The message is for the person who gave it. */
export class WebhookRefusedError extends Error {
  override readonly name = 'WebhookRefusedError';

  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }
}
