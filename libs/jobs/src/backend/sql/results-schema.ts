/**
 * Tables of {@link SqlResultStore}. A result whose size is not known is not finished. What a result is made of goes with
 * it, and cannot be added once it is gone.
 *
 * @internal
 */
export const RESULTS_SCHEMA = `
CREATE TABLE IF NOT EXISTS jobs_result (
  key text COLLATE "C" PRIMARY KEY,
  chunk_size integer NOT NULL,
  size bigint,
  written_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS jobs_result_chunk (
  key text COLLATE "C" NOT NULL REFERENCES jobs_result ON DELETE CASCADE,
  n integer NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (key, n)
);
-- What is large enough for here is compressed already, or not worth the time.
ALTER TABLE jobs_result_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;`;
