/** What the thread is started with. @internal */
export interface PgliteThreadData {
  /** Where PGlite keeps its files, or `memory://`. */
  readonly dataDir: string;
  /** The schema that unqualified names mean in the session. */
  readonly searchPath: string;
  /** A directory, in which what initdb makes is kept for the next new database; without it, initdb runs for each. */
  readonly template?: string | undefined;
  /** PGlite's Postgres, compiled. */
  readonly postgres?: object | undefined;
}

/** One text for the database; without `params` it may hold several statements. @internal */
export interface PgliteStatement {
  readonly kind: 'statement';
  readonly id: number;
  readonly text: string;
  readonly params?: readonly unknown[];
  /** Whether a transaction may be open when the text has run. Otherwise the thread rolls it back and says so. */
  readonly mayLeaveTransaction: boolean;
}

/** What is posted to the thread. It runs statements in the order of their arrival. @internal */
export type PgliteRequest = PgliteStatement | { readonly kind: 'close' };

/** A column of a result: its name and the object id of its type. @internal */
export interface PgliteColumn {
  readonly name: string;
  readonly type: number;
}

/** A value as the thread sends it: what PGlite parses itself, or Postgres' text for it. @internal */
export type PgliteRow = Record<string, unknown>;

/** What Postgres says about an error, as node-postgres names it. @internal */
export interface PgliteErrorFields {
  readonly message: string;
  /** The SQLSTATE; missing when PGlite itself refused, for example a parameter that does not fit its type. */
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly where?: string;
}

/** @internal */
export interface PgliteResult {
  readonly kind: 'result';
  readonly id: number;
  /** Whether the session is inside a transaction after the statement. */
  readonly inTransaction: boolean;
  readonly rows: PgliteRow[];
  readonly columns: PgliteColumn[];
  readonly rowCount: number | null;
}

/** @internal */
export interface PgliteFailure {
  readonly kind: 'failure';
  readonly id: number;
  readonly inTransaction: boolean;
  readonly error: PgliteErrorFields;
}

/** @internal */
export type PgliteAnswer = PgliteResult | PgliteFailure;

/** @internal */
export interface PgliteNotification {
  readonly kind: 'notification';
  readonly channel: string;
  readonly payload: string;
}

/** Instead of `ready`, when there is no database to talk to. @internal */
export interface PgliteUnavailable {
  readonly kind: 'unavailable';
  readonly reason: 'not-installed' | 'not-opened';
  readonly message: string;
}

/** What the thread posts: first `ready` or `unavailable`, then answers and notifications. @internal */
export type PgliteMessage = { readonly kind: 'ready' } | PgliteUnavailable | PgliteAnswer | PgliteNotification;
