import { ConfigService } from '@nestjs/config';
import type { RetryPolicy, TimeLimit } from 'nestjs-jobs';
import { DeadLettersController } from '../../apps/sample-api/src/dead-letters/dead-letters.controller.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from '../../apps/sample-api/src/webhooks/webhook-settings.js';
import {
  HOST_RESOLVER,
  systemResolver,
  WebhookTargets,
  type HostResolver,
} from '../../apps/sample-api/src/webhooks/webhook-targets.js';
import { Webhooks } from '../../apps/sample-api/src/webhooks/webhooks.task.js';
import type { TestBackend } from './backends.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';

export const WEBHOOK_TEST_SETTINGS: WebhookSettings = {
  secret: 's'.repeat(32),
  allowedNetworks: [],
  ports: 'any',
  connectTimeout: 10_000,
  timeout: 10_000,
};

export interface WebhooksAppSettings {
  settings?: Partial<WebhookSettings>;
  resolve?: HostResolver;
  /** Default: four attempts, almost at once. */
  retry?: RetryPolicy;
  timeLimit?: TimeLimit | false;
}

/** The webhooks of the sample API in this process, without what checks a url before it becomes a job. */
export function startWebhooksApp(
  backend: TestBackend,
  { settings = {}, resolve = systemResolver, retry = {}, timeLimit }: WebhooksAppSettings = {},
): Promise<JobsApp> {
  return startJobsApp({
    backend,
    providers: [
      Webhooks,
      WebhookTargets,
      { provide: WEBHOOK_SETTINGS, useValue: { ...WEBHOOK_TEST_SETTINGS, ...settings } },
      { provide: HOST_RESOLVER, useValue: resolve },
      { provide: ConfigService, useValue: new ConfigService({}) },
    ],
    controllers: [DeadLettersController],
    options: {
      queues: { webhooks: { defaults: { timeLimit, retry: { attempts: 4, delay: 10, jitter: 'none', ...retry } } } },
    },
  });
}
