import { z } from 'zod';

export const port = z.coerce
  .number('must be a port number between 0 and 65535')
  .int('must be a whole number')
  .min(0, 'must be between 0 and 65535 (0 picks a free port)')
  .max(65_535, 'must be between 0 and 65535 (0 picks a free port)');

export const switchValue = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

const SHORTEST_TOKEN = 16;

export const token = z.string().min(SHORTEST_TOKEN, `must have at least ${SHORTEST_TOKEN} characters`);
