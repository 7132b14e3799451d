import { Logger } from '@nestjs/common';
import type { ConfigService } from '@nestjs/config';
import type { JobsModuleOptions, RetryPolicy } from 'nestjs-jobs';
import { IMPORTS_QUEUE } from '../imports/import.payload.js';
import { PAYMENTS_QUEUE } from '../payments/payment.payload.js';
import { REPORTS_QUEUE } from '../reports/generate-report.payload.js';
import { WEBHOOKS_QUEUE } from '../webhooks/webhook.payload.js';
import type { Environment } from './environment.js';

export type EnvironmentConfig = ConfigService<Environment, true>;

export function apiJobsOptions(config: EnvironmentConfig): JobsModuleOptions {
  const workers = config.get('JOBS_WORKERS', { infer: true });
  if (!workers && config.get('JOBS_URL', { infer: true }) === undefined) {
    new Logger('SampleApi').warn(
      'JOBS_WORKERS is false and JOBS_URL is not set: jobs will wait, because no other process can work the embedded backend.',
    );
  }
  return { ...sharedOptions(config), workers };
}

/** JOBS_WORKERS is for the API process: this one would have nothing else to do. */
export function workerJobsOptions(config: EnvironmentConfig): JobsModuleOptions {
  return { ...sharedOptions(config), workers: true };
}

/** What has to be the same in the processes of the API and in the workers. */
function sharedOptions(config: EnvironmentConfig): JobsModuleOptions {
  const namespace = config.get('JOBS_NAMESPACE', { infer: true });
  const lease = config.get('JOBS_LEASE_MS', { infer: true });
  return { ...connectionOf(config), namespace, lease, queues: queuesOf(config) };
}

function queuesOf(config: EnvironmentConfig): JobsModuleOptions['queues'] {
  return {
    [REPORTS_QUEUE]: { concurrency: config.get('REPORT_CONCURRENCY', { infer: true }) },
    [PAYMENTS_QUEUE]: {},
    [IMPORTS_QUEUE]: {},
    [WEBHOOKS_QUEUE]: {
      concurrency: config.get('WEBHOOK_CONCURRENCY', { infer: true }),
      defaults: { retry: webhookRetry(config) },
    },
  };
}

/** With the default values a receiver may be down for hours and still gets what it missed. */
function webhookRetry(config: EnvironmentConfig): RetryPolicy {
  return {
    attempts: config.get('WEBHOOK_ATTEMPTS', { infer: true }),
    delay: config.get('WEBHOOK_RETRY_DELAY_MS', { infer: true }),
    factor: 4,
    maxDelay: '6h',
    jitter: 0.5,
  };
}

function connectionOf(config: EnvironmentConfig): Pick<JobsModuleOptions, 'connection'> {
  const url = config.get('JOBS_URL', { infer: true });
  if (url !== undefined) {
    return { connection: url };
  }
  const dataDir = config.get('JOBS_DATA_DIR', { infer: true });
  // Left out, it is the library's choice: embedded in .jobs/, and a refusal in production.
  return dataDir === undefined ? {} : { connection: { embedded: { dataDir } } };
}
