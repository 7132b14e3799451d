/**
 * Table and functions of {@link SqlKeptResults}, over those of lines. `value` is text: jsonb would change the order of keys.
 *
 * @internal
 */
export const KEPT_RESULTS_SCHEMA = `
CREATE TABLE IF NOT EXISTS jobs_kept_result (
  line text PRIMARY KEY,
  fingerprint text NOT NULL,
  by_id text NOT NULL,
  value text,
  token bigint,
  owed text[],
  expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_kept_result_expiry ON jobs_kept_result (expires_at);

CREATE OR REPLACE FUNCTION jobs_claim(
  a_line text, a_places integer, a_patience double precision, a_id text,
  a_ttl double precision, a_stand boolean, a_turn bigint, a_forgotten_after double precision, a_fingerprint text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz := jobs_line_open(a_line);
  known jobs_kept_result%ROWTYPE;
  is_kept boolean;
  is_claimed boolean;
  found text[];
  taken jsonb;
BEGIN
  SELECT * INTO known FROM jobs_kept_result WHERE line = a_line AND expires_at > at_time;
  is_kept := known.value IS NOT NULL;
  is_claimed := NOT is_kept AND EXISTS (SELECT FROM jobs_place WHERE line = a_line AND holder <> a_id);
  IF is_kept OR (is_claimed AND known.fingerprint <> a_fingerprint) THEN
    DELETE FROM jobs_waiter WHERE line = a_line AND waiter = a_id;
    found := jobs_line_pass_on(a_line, a_places, a_patience, at_time);
    -- Whoever kept the result may have died before it woke them.
    IF known.owed IS NOT NULL THEN
      found := found || array_remove(known.owed, a_id);
      UPDATE jobs_kept_result SET owed = NULL WHERE line = a_line;
    END IF;
    RETURN jsonb_build_object(
      'kind', CASE WHEN known.fingerprint <> a_fingerprint THEN 'mismatch' ELSE 'kept' END, 'by', known.by_id,
      'value', CASE WHEN known.fingerprint = a_fingerprint THEN known.value END,
      'wake', found);
  END IF;
  taken := jobs_line_take(a_line, a_places, a_patience, a_id, a_ttl, a_stand, a_turn, a_forgotten_after);
  IF (taken->>'holds')::boolean THEN
    INSERT INTO jobs_kept_result VALUES
      (a_line, a_fingerprint, a_id, NULL, NULL, NULL, at_time + a_forgotten_after * interval '1 millisecond')
      ON CONFLICT (line) DO UPDATE SET
        fingerprint = EXCLUDED.fingerprint, by_id = EXCLUDED.by_id, value = NULL, token = NULL, owed = NULL,
        expires_at = EXCLUDED.expires_at;
  END IF;
  DELETE FROM jobs_kept_result WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobs_kept_result WHERE expires_at <= at_time LIMIT 2 FOR UPDATE SKIP LOCKED));
  RETURN taken;
END $$;

CREATE OR REPLACE FUNCTION jobs_keep_result(
  a_line text, a_id text, a_token bigint, a_fingerprint text, a_value text, a_keep_for double precision
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz := jobs_line_open(a_line);
  known jobs_kept_result%ROWTYPE;
  found text[];
BEGIN
  IF NOT EXISTS (SELECT FROM jobs_place WHERE line = a_line AND holder = a_id AND token = a_token) THEN
    SELECT * INTO known FROM jobs_kept_result WHERE line = a_line AND value IS NOT NULL AND expires_at > at_time;
    -- Its answer was lost, and it is told again.
    IF known.token = a_token THEN RETURN coalesce(known.owed, '{}'); END IF;
    IF known.value IS NOT NULL OR EXISTS (SELECT FROM jobs_place WHERE line = a_line) THEN RETURN NULL; END IF;
  END IF;
  DELETE FROM jobs_place WHERE line = a_line;
  WITH gone AS (DELETE FROM jobs_waiter WHERE line = a_line RETURNING waiter, turn)
  SELECT coalesce(array_agg(waiter ORDER BY turn), '{}') INTO found FROM gone;
  INSERT INTO jobs_kept_result VALUES
    (a_line, a_fingerprint, a_id, a_value, a_token, nullif(found, '{}'), at_time + a_keep_for * interval '1 millisecond')
    ON CONFLICT (line) DO UPDATE SET
      fingerprint = EXCLUDED.fingerprint, by_id = EXCLUDED.by_id, value = EXCLUDED.value,
      token = EXCLUDED.token, owed = EXCLUDED.owed, expires_at = EXCLUDED.expires_at;
  RETURN found;
END $$;`;
