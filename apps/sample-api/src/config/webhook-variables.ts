import { z } from 'zod';
import { isNetwork } from '../webhooks/address-policy.js';
import { token } from './values.js';
import { wholeNumber } from './whole-number.js';

const HOUR = 3_600_000;
const SHORTEST_SECRET = 32;

const list = (text: string) => text.split(',').map((item) => item.trim());

const networks = z
  .string()
  .default('')
  .transform((text) => (text === '' ? [] : list(text)))
  .refine((items) => items.every(isNetwork), 'must be addresses or CIDR ranges, as in 10.0.0.0/8,::1');

const ports = z
  .string()
  .default('80,443')
  .transform((text) => (text === 'any' ? text : list(text).map((item) => (/^\d+$/.test(item) ? Number(item) : 0))))
  .refine(
    (items) => items === 'any' || items.every((port) => port >= 1 && port <= 65_535),
    'must be "any" or ports from 1 to 65535, as in 80,443',
  );

export const webhookVariables = {
  WEBHOOK_SECRET: z.string().min(SHORTEST_SECRET, `must have at least ${SHORTEST_SECRET} characters`).optional(),
  WEBHOOK_ALLOWED_NETWORKS: networks,
  WEBHOOK_PORTS: ports,
  WEBHOOK_CONNECT_TIMEOUT_MS: wholeNumber(1, 60_000).default(5_000),
  WEBHOOK_TIMEOUT_MS: wholeNumber(1, 300_000).default(15_000),
  WEBHOOK_ATTEMPTS: wholeNumber(1, 50).default(8),
  WEBHOOK_RETRY_DELAY_MS: wholeNumber(1, HOUR).default(5_000),
  WEBHOOK_CONCURRENCY: wholeNumber(1, 1_000).default(20),
  ADMIN_TOKEN: token.optional(),
};
