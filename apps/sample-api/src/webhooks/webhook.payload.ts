export const WEBHOOKS_QUEUE = 'webhooks';

export interface DeliverWebhook {
  url: string;
  event: string;
  /** Any JSON. */
  data: unknown;
}

export interface WebhookReceipt {
  /** What the receiver answered: 200 to 299. */
  status: number;
  /** ISO 8601. */
  deliveredAt: string;
  /** How many runs it took, this one included. */
  attempts: number;
}
