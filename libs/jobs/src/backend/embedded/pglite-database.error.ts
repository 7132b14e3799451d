import type { PgliteErrorFields } from './pglite-protocol.js';

/** An error that Postgres reported for a statement, with the fields that node-postgres gives it. @internal */
export class PgliteDatabaseError extends Error implements PgliteErrorFields {
  override readonly name = 'PgliteDatabaseError';
  declare readonly code?: string;
  declare readonly detail?: string;
  declare readonly hint?: string;
  declare readonly table?: string;
  declare readonly column?: string;
  declare readonly constraint?: string;
  declare readonly where?: string;

  constructor({ message, ...fields }: PgliteErrorFields) {
    super(message);
    Object.assign(this, fields);
  }
}
