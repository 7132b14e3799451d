/** What a {@link Ledger} can hold. @internal */
export type LedgerValue = string | number | boolean | null | LedgerValue[] | { [key: string]: LedgerValue };

/** One record of a {@link Ledger}. @internal */
export interface LedgerRecord {
  readonly key: string;
  readonly value: LedgerValue;
}

/**
 * What is stored beside the queues, in the same store: small records in named collections, each of which may expire.
 * Every operation is one round trip and atomic; times are the store's clock, never a process's.
 *
 * @internal
 */
export interface Ledger {
  /** Writes the record, whatever was there. Without `ttl` (milliseconds) it stays. */
  put(collection: string, key: string, value: LedgerValue, ttl?: number): Promise<void>;
  /** Writes the record if there is none; else answers the one that is there. */
  putIfAbsent(collection: string, key: string, value: LedgerValue, ttl?: number): Promise<LedgerRecord | undefined>;
  get(collection: string, key: string): Promise<LedgerRecord | undefined>;
  /** All live records of a collection, by key. */
  list(collection: string): Promise<LedgerRecord[]>;
  /** True if there was a live one. */
  delete(collection: string, key: string): Promise<boolean>;
}
