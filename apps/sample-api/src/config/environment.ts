import { z } from 'zod';
import { metricsVariables } from './metrics-variables.js';
import { port, switchValue } from './values.js';
import { webhookVariables } from './webhook-variables.js';
import { wholeNumber } from './whole-number.js';

/** Values that an error message must not repeat. */
const SECRETS = ['JOBS_URL', 'WEBHOOK_SECRET', 'ADMIN_TOKEN', 'METRICS_TOKEN'];

const DAY = 24 * 3_600_000;

export const JOBS_URL_FORMS = 'redis://, rediss://, postgres:// or postgresql://';

const jobsUrl = z.string().superRefine((value, context) => {
  if (value === '') {
    context.addIssue(`is set but empty; unset it to use the embedded backend, or give it a ${JOBS_URL_FORMS} URL`);
  } else if (!/^(rediss?|postgres(ql)?):\/\/./.test(value) || !URL.canParse(value)) {
    context.addIssue(`must be a URL that starts with ${JOBS_URL_FORMS}`);
  }
});

const directory = z.string().min(1, 'is set but empty; unset it to use the default, or name a directory');

const namespace = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,47}$/,
    'must be lower-case letters, digits and underscores, begin with a letter, at most 48',
  );

const variablesSchema = z.object({
  NODE_ENV: z.string().optional(),
  PORT: port.default(3000),
  JOBS_URL: jobsUrl.optional(),
  JOBS_DATA_DIR: directory.optional(),
  JOBS_NAMESPACE: namespace.default('jobs'),
  JOBS_LEASE_MS: wholeNumber(1_000, 600_000).default(30_000),
  JOBS_WORKERS: switchValue.default(true),
  REPORTS_DIR: directory.default('.jobs/reports'),
  REPORTS_KEEP_DAYS: wholeNumber(1, 3_650).default(30),
  REPORT_CONCURRENCY: wholeNumber(1, 100).default(4),
  REPORT_THREADS: wholeNumber(1, 64).default(1),
  SCHEDULE_MIN_INTERVAL_MS: wholeNumber(1_000, DAY).default(60_000),
  SCHEDULES_PER_USER: wholeNumber(1, 500).default(20),
  PAYMENTS_DIR: directory.default('.jobs/payments'),
  PAYMENT_ANSWER_MS: wholeNumber(0, 20_000).default(0),
  IMPORTS_DIR: directory.default('.jobs/imports'),
  HEALTH_DETAILS: z.enum(['open', 'closed'], 'must be open or closed').optional(),
  ...webhookVariables,
  ...metricsVariables,
});

const NUMBERS = Object.keys(variablesSchema.shape).filter((name) =>
  /^PORT$|_(PORT|CONCURRENCY|THREADS|ATTEMPTS|DAYS|PER_USER|MS)$/.test(name),
);

export const environmentSchema = variablesSchema
  .refine(({ NODE_ENV, WEBHOOK_SECRET }) => NODE_ENV !== 'production' || WEBHOOK_SECRET !== undefined, {
    path: ['WEBHOOK_SECRET'],
    error: 'must be set with NODE_ENV=production; the receivers of webhooks know it too',
  })
  .transform(({ HEALTH_DETAILS, METRICS_PUBLIC, ...variables }) => {
    const isProduction = variables.NODE_ENV === 'production';
    return {
      ...variables,
      // Whoever tries the service sees how it is; in production somebody decides who may.
      HEALTH_DETAILS: HEALTH_DETAILS ?? (isProduction ? 'closed' : 'open'),
      METRICS_PUBLIC: METRICS_PUBLIC ?? (!isProduction && variables.METRICS_TOKEN === undefined),
    };
  });

export type Environment = z.output<typeof environmentSchema>;

export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export function parseEnvironment(variables: Record<string, unknown>): Environment {
  // z.coerce turns '' into 0, and an emptied PORT is a mistake, not a wish for a random port.
  const emptyNumbers = NUMBERS.filter((name) => variables[name] === '');
  const parsed = environmentSchema.safeParse({
    ...variables,
    ...Object.fromEntries(emptyNumbers.map((name) => [name, 'empty'])),
  });
  if (parsed.success) {
    return parsed.data;
  }
  const lines = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const given = SECRETS.includes(name) ? '' : ` (it is ${JSON.stringify(variables[name])})`;
    return `  ${name} ${issue.message}${given}`;
  });
  throw new EnvironmentError(['The environment has values that cannot be used:', ...new Set(lines)].join('\n'));
}
