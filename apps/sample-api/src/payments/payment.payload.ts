export const PAYMENTS_QUEUE = 'payments';

/** For how long a repeated request gets the answer of the first one, and a repeated job its receipt. */
export const KEY_LIFE = '24h';

export interface Payment {
  /** Whom to charge. */
  customer: string;
  amountCents: number;
  /** ISO 4217. */
  currency: string;
}

export interface ChargePayment extends Payment {
  /** The client's `Idempotency-Key`. */
  key: string;
}

export interface Receipt extends Payment {
  chargeId: string;
  /** ISO 8601. */
  chargedAt: string;
}
