import { FleetMessageTooLargeError, InvalidFleetMessageError } from './fleet-messages.errors.js';

/** Bytes of channel and message together. NOTIFY takes less than 8000, and what can be sent must not depend on the store. */
export const LARGEST_PAYLOAD = 7_900;

/**
 * The name of a channel in a payload: ASCII without a space.
 *
 * @throws {InvalidFleetMessageError}
 * @internal
 */
export function encodeChannel(channel: string): string {
  if (typeof channel === 'string' && channel !== '' && channel.isWellFormed()) return encodeURIComponent(channel);
  const found = typeof channel === 'string' ? JSON.stringify(channel) : typeof channel;
  throw new InvalidFleetMessageError(
    `nestjs-jobs: the name of a channel must be a string of at least one character and well-formed, not ${found}.`,
  );
}

/**
 * Channel and message in one line, the channel first: who does not listen to it need not parse the message.
 *
 * @throws {InvalidFleetMessageError} {@link FleetMessageTooLargeError}
 * @internal
 */
export function encodePayload(channel: string, message: unknown): string {
  const payload = `${encodeChannel(channel)} ${toJson(channel, message)}`;
  const size = Buffer.byteLength(payload);
  if (size > LARGEST_PAYLOAD) throw new FleetMessageTooLargeError(channel, size, LARGEST_PAYLOAD);
  return payload;
}

/** The parts of what {@link encodePayload} made, if it was that. @internal */
export function splitPayload(payload: string): { channel: string; json: string } | undefined {
  const end = payload.indexOf(' ');
  if (end < 1 || payload.length > LARGEST_PAYLOAD) return undefined;
  return { channel: payload.slice(0, end), json: payload.slice(end + 1) };
}

function toJson(channel: string, message: unknown): string {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(message) as string | undefined;
  } catch (error) {
    cause = error;
  }
  if (json !== undefined) return json;
  const found = cause instanceof Error ? `one that cannot be written: ${cause.message}` : typeof message;
  throw new InvalidFleetMessageError(
    `nestjs-jobs: a message on the channel ${JSON.stringify(channel)} must be a value that JSON has, not ${found}.`,
    { cause },
  );
}
