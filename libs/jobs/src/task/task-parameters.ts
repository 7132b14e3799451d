import { PARAMETER_TYPES, type ParameterEntry, readParameters } from './payload.decorator.js';
import { InvalidTaskError } from './task.errors.js';

/** In the keys of decorators made with createParamDecorator; Nest 11 exports the constant nowhere. */
const CUSTOM = '__customRouteArgs__';
const FIRST_FREE = 2;

/**
 * Refuses parameters that would silently be undefined, or not what their decorator says.
 *
 * @throws {@link InvalidTaskError} that names `place`.
 * @internal
 */
export function assertParameters(prototype: object, method: string, place: string): void {
  const described = Object.entries(readParameters(prototype, method));
  for (const [key, entry] of described) {
    const wrong = complaintOf(key, entry);
    if (wrong) throw new InvalidTaskError(place, ...wrong);
  }
  const known = new Set(described.map(([, { index }]) => index));
  const { length } = (prototype as Record<string, () => unknown>)[method]!;
  for (let index = FIRST_FREE; index < length; index++) {
    if (!known.has(index)) throw new InvalidTaskError(place, ...undecorated(index));
  }
}

type Complaint = [problem: string, fix: string];

function complaintOf(key: string, { index, ofTask }: ParameterEntry): Complaint | undefined {
  if (ofTask) return key.startsWith(`${PARAMETER_TYPES.payload}:`) && index !== 0 ? misplacedPayload(index) : undefined;
  if (!key.includes(CUSTOM)) {
    return [
      `has a decorator of Nest's for requests or messages, like @Body() or @Headers(), on ${nameOf(index)}`,
      'A job has neither: remove it, and use the payload, the JobContext or a decorator made with createParamDecorator',
    ];
  }
  if (index >= FIRST_FREE) return undefined;
  return [
    `has a decorator on ${nameOf(index)}, which is always the ${index === 0 ? 'payload' : 'JobContext'}`,
    'Move the decorator to the third parameter or a later one',
  ];
}

function misplacedPayload(index: number): Complaint {
  return [`has @Payload() on ${nameOf(index)}`, 'The payload is always the first parameter: move @Payload() there'];
}

function undecorated(index: number): Complaint {
  return [
    `takes ${nameOf(index)} that nothing fills`,
    'A task is called with the payload and the JobContext: remove it, or put a decorator made with createParamDecorator on it',
  ];
}

function nameOf(index: number): string {
  return `parameter ${index + 1}`;
}
