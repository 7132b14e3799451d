import { BadRequestException } from '@nestjs/common';
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

/** Who asks, for what only somebody with a name can have. @throws {BadRequestException} when he gives none. */
export function requiredUser(headers: object): string {
  const { user } = requestedBy(headers);
  if (user !== undefined) return user;
  throw new BadRequestException(['x-user must be given: whose schedules these are']);
}

/** @throws {BadRequestException} */
export function requestedBy(headers: object): RequestedBy {
  const user = validated(headersSchema, headers)['x-user'];
  return user === undefined ? {} : { user };
}
