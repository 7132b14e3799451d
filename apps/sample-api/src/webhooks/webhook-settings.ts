import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { EnvironmentConfig } from '../config/jobs-options.js';

export interface WebhookSettings {
  readonly secret: string;
  /** Addresses and CIDR ranges that may be delivered to although they are not public. */
  readonly allowedNetworks: readonly string[];
  readonly ports: readonly number[] | 'any';
  /** Milliseconds for the name, the connection and TLS together. */
  readonly connectTimeout: number;
  /** Milliseconds from the start of an attempt until its answer is read. */
  readonly timeout: number;
}

export const WEBHOOK_SETTINGS = Symbol('webhook settings');

export function webhookSettings(config: EnvironmentConfig): WebhookSettings {
  return {
    secret: config.get('WEBHOOK_SECRET', { infer: true }) ?? secretForDevelopment(),
    allowedNetworks: config.get('WEBHOOK_ALLOWED_NETWORKS', { infer: true }),
    ports: config.get('WEBHOOK_PORTS', { infer: true }),
    connectTimeout: config.get('WEBHOOK_CONNECT_TIMEOUT_MS', { infer: true }),
    timeout: config.get('WEBHOOK_TIMEOUT_MS', { infer: true }),
  };
}

/** Only ever outside of production, where the environment is refused without a secret. */
function secretForDevelopment(): string {
  const secret = randomBytes(24).toString('base64url');
  new Logger('Webhooks').warn(
    `WEBHOOK_SECRET is not set: until this process ends it signs webhooks with "${secret}". Every process has its own; set one to share it.`,
  );
  return secret;
}
