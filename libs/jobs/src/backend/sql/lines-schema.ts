import { MOST_AHEAD } from '../lines.js';

/**
 * Tables and functions of {@link SqlLines}. Each function locks its line first, so that what it reads stays true; the
 * tables are those of the caller's search_path.
 *
 * @internal
 */
export const LINES_SCHEMA = `
CREATE SEQUENCE IF NOT EXISTS jobs_fencing;
CREATE TABLE IF NOT EXISTS jobs_place (
  line text NOT NULL,
  holder text NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (line, holder)
);
CREATE INDEX IF NOT EXISTS jobs_place_expiry ON jobs_place (expires_at);
CREATE TABLE IF NOT EXISTS jobs_waiter (
  line text NOT NULL,
  waiter text NOT NULL,
  turn bigint NOT NULL,
  called_until timestamptz,
  forgotten_at timestamptz NOT NULL,
  PRIMARY KEY (line, waiter)
);
CREATE INDEX IF NOT EXISTS jobs_waiter_turn ON jobs_waiter (line, turn) WHERE called_until IS NULL;
CREATE INDEX IF NOT EXISTS jobs_waiter_called ON jobs_waiter (line, called_until) WHERE called_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_waiter_forgotten ON jobs_waiter (forgotten_at);

CREATE OR REPLACE FUNCTION jobs_line_open(a_line text) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || a_line, 0));
  at_time := clock_timestamp();
  DELETE FROM jobs_place WHERE line = a_line AND expires_at <= at_time;
  DELETE FROM jobs_waiter WHERE line = a_line AND called_until <= at_time;
  RETURN at_time;
END $$;

CREATE OR REPLACE FUNCTION jobs_line_free(a_line text, a_places integer) RETURNS bigint LANGUAGE sql AS $$
  SELECT a_places - (SELECT count(*) FROM jobs_place WHERE line = a_line)
                  - (SELECT count(*) FROM jobs_waiter WHERE line = a_line AND called_until IS NOT NULL)
$$;

CREATE OR REPLACE FUNCTION jobs_line_call(a_line text, a_places integer, a_patience double precision, at_time timestamptz)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[];
BEGIN
  WITH next AS (
    SELECT waiter FROM jobs_waiter WHERE line = a_line AND called_until IS NULL
     ORDER BY turn LIMIT greatest(jobs_line_free(a_line, a_places), 0)
  ), called AS (
    UPDATE jobs_waiter SET called_until = at_time + a_patience * interval '1 millisecond'
      FROM next WHERE line = a_line AND jobs_waiter.waiter = next.waiter
    RETURNING jobs_waiter.waiter, turn
  )
  SELECT coalesce(array_agg(waiter ORDER BY turn), '{}') INTO found FROM called;
  RETURN found;
END $$;

CREATE OR REPLACE FUNCTION jobs_line_pass_on(
  a_line text, a_places integer, a_patience double precision, at_time timestamptz
) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  PERFORM jobs_line_call(a_line, a_places, a_patience, at_time);
  RETURN (SELECT coalesce(array_agg(waiter ORDER BY turn), '{}') FROM jobs_waiter
           WHERE line = a_line AND called_until IS NOT NULL);
END $$;

CREATE OR REPLACE FUNCTION jobs_line_take(
  a_line text, a_places integer, a_patience double precision, a_id text,
  a_ttl double precision, a_stand boolean, a_turn bigint, a_forgotten_after double precision
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz := jobs_line_open(a_line);
  is_mine boolean := EXISTS (SELECT FROM jobs_place WHERE line = a_line AND holder = a_id);
  mine jobs_waiter%ROWTYPE;
  my_turn bigint;
  before bigint;
  found text[];
  free_at timestamptz;
BEGIN
  SELECT * INTO mine FROM jobs_waiter WHERE line = a_line AND waiter = a_id;
  is_mine := is_mine OR mine.called_until IS NOT NULL;
  my_turn := coalesce(mine.turn, a_turn);
  IF NOT is_mine THEN
    SELECT count(*) INTO before FROM (
      SELECT FROM jobs_waiter
       WHERE line = a_line AND called_until IS NULL AND turn < coalesce(my_turn, 9223372036854775807)
       ORDER BY turn LIMIT greatest(a_places, ${MOST_AHEAD})
    ) AS ahead;
  END IF;
  IF is_mine OR jobs_line_free(a_line, a_places) > before THEN
    DELETE FROM jobs_waiter WHERE line = a_line AND waiter = a_id;
    my_turn := nextval('jobs_fencing');
    INSERT INTO jobs_place VALUES (a_line, a_id, my_turn, at_time + a_ttl * interval '1 millisecond')
      ON CONFLICT (line, holder) DO UPDATE SET token = EXCLUDED.token, expires_at = EXCLUDED.expires_at;
    RETURN jsonb_build_object('holds', true, 'number', my_turn, 'wake', jobs_line_call(a_line, a_places, a_patience, at_time));
  END IF;
  IF a_stand THEN
    my_turn := coalesce(my_turn, nextval('jobs_fencing'));
    INSERT INTO jobs_waiter VALUES (a_line, a_id, my_turn, NULL, at_time + a_forgotten_after * interval '1 millisecond')
      ON CONFLICT (line, waiter) DO UPDATE SET forgotten_at = EXCLUDED.forgotten_at;
  END IF;
  DELETE FROM jobs_waiter WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobs_waiter WHERE forgotten_at <= at_time LIMIT 10 FOR UPDATE SKIP LOCKED));
  DELETE FROM jobs_place WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobs_place WHERE expires_at <= at_time - interval '1 hour' LIMIT 10 FOR UPDATE SKIP LOCKED));
  found := jobs_line_call(a_line, a_places, a_patience, at_time);
  SELECT least(
    (SELECT min(expires_at) FROM jobs_place WHERE line = a_line),
    (SELECT min(called_until) FROM jobs_waiter WHERE line = a_line)) INTO free_at;
  RETURN jsonb_build_object(
    'holds', false, 'number', CASE WHEN a_stand THEN my_turn END, 'ahead', before, 'wake', found,
    'freeIn', greatest(coalesce(extract(epoch FROM free_at - at_time) * 1000, 0), 0));
END $$;

CREATE OR REPLACE FUNCTION jobs_line_renew(a_line text, a_id text, a_token bigint, a_ttl double precision)
RETURNS boolean LANGUAGE sql AS $$
  WITH renewed AS (
    UPDATE jobs_place SET expires_at = clock_timestamp() + a_ttl * interval '1 millisecond'
     WHERE line = a_line AND holder = a_id AND token = a_token
    RETURNING true
  )
  SELECT EXISTS (SELECT FROM renewed)
$$;

CREATE OR REPLACE FUNCTION jobs_line_give_up(
  a_line text, a_places integer, a_patience double precision, a_id text, a_token bigint
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz := jobs_line_open(a_line);
BEGIN
  DELETE FROM jobs_place WHERE line = a_line AND holder = a_id AND token = a_token;
  RETURN jobs_line_pass_on(a_line, a_places, a_patience, at_time);
END $$;

CREATE OR REPLACE FUNCTION jobs_line_leave(
  a_line text, a_places integer, a_patience double precision, a_id text, a_with_place boolean
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  at_time timestamptz := jobs_line_open(a_line);
BEGIN
  DELETE FROM jobs_waiter WHERE line = a_line AND waiter = a_id;
  DELETE FROM jobs_place WHERE a_with_place AND line = a_line AND holder = a_id;
  RETURN jobs_line_pass_on(a_line, a_places, a_patience, at_time);
END $$;`;
