import { z } from 'zod';
import { validated } from '../http/validated.js';

const headersSchema = z.object({
  'x-user': z
    .string()
    .regex(/^[\w.@+-]{1,64}$/, 'must be 1 to 64 letters, digits and characters of _.@+-')
    .optional(),
});

/** Headers of a job: who asked for it, if they said so. */
export type RequestedBy = { user?: string };

/** @throws {BadRequestException} */
export function requestedBy(headers: object): RequestedBy {
  const user = validated(headersSchema, headers)['x-user'];
  return user === undefined ? {} : { user };
}
