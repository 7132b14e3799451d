import { BadRequestException } from '@nestjs/common';
import type { z } from 'zod';

/** However much is wrong, an answer stays short. */
export const MOST_LISTED = 40;

/** What is wrong becomes one line for each field, each starting with the field's name. */
export function validated<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => [...issue.path.map(String), issue.message].join(' '));
    throw new BadRequestException(lines.slice(0, MOST_LISTED));
  }
  return parsed.data;
}
