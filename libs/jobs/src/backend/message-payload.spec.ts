import { FleetMessageTooLargeError, InvalidFleetMessageError } from './fleet-messages.errors.js';
import { encodePayload, LARGEST_PAYLOAD, splitPayload } from './message-payload.js';

describe('the payload of a message', () => {
  it.each(['c', ' ', 'a b', '\u0000', '🐘', '%20', '"'])('has the channel %j first, whatever is in it', (channel) => {
    const payload = encodePayload(channel, [channel]);
    expect(payload).toMatch(/^[!-~]+ \[/);
    expect(splitPayload(payload)).toEqual({ channel: encodeURIComponent(channel), json: JSON.stringify([channel]) });
  });

  it('may take so many bytes and not one more', () => {
    expect(Buffer.byteLength(encodePayload('c', 'x'.repeat(LARGEST_PAYLOAD - 4)))).toBe(LARGEST_PAYLOAD);
    expect(() => encodePayload('c', 'x'.repeat(LARGEST_PAYLOAD - 3))).toThrow(FleetMessageTooLargeError);
    expect(() => encodePayload('ü'.repeat(2_000), 1)).toThrow(
      /on the channel "ü{50}\.\.\." takes 12002 bytes with the name of its channel, and 7900 are allowed/,
    );
  });

  const throwing = {
    toJSON: () => {
      throw new Error('no');
    },
  };
  it.each([
    ['undefined', undefined, /on the channel "c" must be a value that JSON has, not undefined/],
    ['a function', () => 1, /not function/],
    ['a BigInt', 1n, /not one that cannot be written: .*BigInt/],
    ['what throws', throwing, /cannot be written: no/],
  ])('is not made of %s', (_what, message, expected) => {
    expect(() => encodePayload('c', message)).toThrow(InvalidFleetMessageError);
    expect(() => encodePayload('c', message)).toThrow(expected);
  });

  it.each([
    ['', '""'],
    ['\ud800', String.raw`"\ud800"`],
    [7 as unknown as string, 'number'],
  ])('is not for a channel named %j', (channel, shown) => {
    expect(() => encodePayload(channel, 1)).toThrow(InvalidFleetMessageError);
    expect(() => encodePayload(channel, 1)).toThrow(`well-formed, not ${shown}.`);
  });

  it.each(['', 'c', ' 1', `c ${'1'.repeat(LARGEST_PAYLOAD)}`])('is not %j', (payload) => {
    expect(splitPayload(payload)).toBeUndefined();
  });
});
