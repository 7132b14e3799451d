/** What was to be published cannot be sent on any store. Nothing was sent. @internal */
export class InvalidFleetMessageError extends Error {
  override readonly name = 'InvalidFleetMessageError';
}

/** A message is a hint of what to look at. What is larger belongs into the store. Nothing was sent. @internal */
export class FleetMessageTooLargeError extends Error {
  override readonly name = 'FleetMessageTooLargeError';

  constructor(channel: string, size: number, limit: number) {
    const shown = channel.length > 50 ? `${channel.slice(0, 50).toWellFormed()}...` : channel;
    super(
      `nestjs-jobs: the message on the channel ${JSON.stringify(shown)} takes ${size} bytes with the name of its ` +
        `channel, and ${limit} are allowed. Keep the data in the store and send its key.`,
    );
  }
}
