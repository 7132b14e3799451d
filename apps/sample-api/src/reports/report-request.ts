import { z } from 'zod';
import { MOST_LISTED } from '../http/validated.js';

function columnName(name: 'groupBy' | 'measure') {
  const use = name === 'groupBy' ? 'the column whose values make the groups' : 'the column with the numbers';
  return z
    .string(`must be given once: ${use}`)
    .trim()
    .min(1, `must not be empty: name ${use}`)
    .max(200, 'must not be longer than 200 characters');
}

const columns = { groupBy: columnName('groupBy'), measure: columnName('measure') };

export const uploadQuerySchema = z.strictObject(columns, { error: describeObject });

export type UploadQuery = z.output<typeof uploadQuerySchema>;

export function datasetRequestSchema(datasets: readonly string[]) {
  return z.strictObject(
    {
      dataset: z
        .string(`must be one of: ${datasets.join(', ')}`)
        .refine((name) => datasets.includes(name), `must be one of: ${datasets.join(', ')}`),
      ...columns,
    },
    { error: describeObject },
  );
}

export type DatasetRequest = z.output<ReturnType<typeof datasetRequestSchema>>;

function describeObject(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `unknown: ${issue.keys.slice(0, MOST_LISTED).join(', ')}`;
  }
  return 'Send a JSON object such as { "dataset": "seattle-weather", "groupBy": "weather", "measure": "precipitation" }';
}
