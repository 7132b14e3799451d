/**
 * SQLSTATEs that say that the server, and not the statement, is the matter: connection lost (08), nobody let in (28, no
 * such database), out of resources (53), shutting down (57P), a timeout or cancellation (57014, 55P03), or a standby
 * that takes no writes (25006).
 */
const STATES = /^(08...|28...|3D000|53...|57P0[1-5]|57014|55P03|25006)$/;
/** Of the sockets. */
const SYSTEM_CALLS = new Set(['connect', 'read', 'write', 'getaddrinfo', 'queryA', 'queryAaaa']);
/** What node-postgres says without a code. */
const MESSAGES =
  /connection terminated|connection error|timeout exceeded when trying to connect|timeout expired|client was closed|not queryable|query read timeout|after calling end on the pool/i;
const GIVEN_UP = new Set(['57014', '55P03']);
/** A deadlock or a serialization failure: the statement was undone whole, and its next try will do. */
const TRANSIENT = new Set(['40P01', '40001']);

/** Whether this error says that Postgres could not be reached, and not that it refused a statement. @internal */
export function isPostgresConnectionError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message, syscall, errors } = error as Partial<NodeJS.ErrnoException> & { errors?: unknown };
  // A host name with several addresses, of which none answered.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(isPostgresConnectionError);
  // The operating system's: refused, reset, no such host, no such socket...
  return SYSTEM_CALLS.has(syscall ?? '') || STATES.test(code ?? '') || MESSAGES.test(message ?? '');
}

/** It says nothing of the server: one statement took too long or was cancelled, or the app has ended its pool. @internal */
export function isOfOneStatement(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return GIVEN_UP.has(code ?? '') || /after calling end on the pool/.test(message ?? '');
}

/** @internal */
export function isTransient(error: unknown): boolean {
  return TRANSIENT.has((error as { code?: string } | undefined)?.code ?? '');
}

/**
 * A statement that was not answered because of the connection. BullMQ waits before it tries again only after errors
 * with this code; after any other it would try again at once, without end, or count a finished job as failed.
 *
 * @internal
 */
export class PostgresConnectionLostError extends Error {
  override readonly name = 'PostgresConnectionLostError';
  readonly code = 'ECONNREFUSED';

  constructor(override readonly cause: Error) {
    super(cause.message || (cause as { code?: string }).code || cause.name);
  }
}

/** @internal */
export function asConnectionLost(error: unknown): unknown {
  if (error instanceof PostgresConnectionLostError || !isPostgresConnectionError(error)) return error;
  return new PostgresConnectionLostError(error as Error);
}
