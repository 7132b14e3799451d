import { WINDOW_PARTS } from '../limits.js';

/**
 * Tables and functions of {@link SqlLimits}, for the tables of the caller's search_path. Times are whole microseconds of
 * the database's clock, which a double holds exactly. The comments are at the same script for Redis.
 *
 * @internal
 */
export const LIMITS_SCHEMA = `
CREATE TABLE IF NOT EXISTS jobs_limit (
  name text NOT NULL,
  key text NOT NULL,
  algorithm text NOT NULL DEFAULT '',
  gate_at double precision NOT NULL DEFAULT 0,
  level double precision NOT NULL DEFAULT 0,
  parts jsonb NOT NULL DEFAULT '[]',
  part double precision NOT NULL DEFAULT 0,
  next_at double precision NOT NULL DEFAULT 0,
  again_at double precision NOT NULL DEFAULT 0,
  healed double precision NOT NULL DEFAULT 0,
  paused_until double precision NOT NULL DEFAULT 0,
  idle_from double precision NOT NULL DEFAULT 0,
  PRIMARY KEY (name, key)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS jobs_limit_idle ON jobs_limit (idle_from);
CREATE TABLE IF NOT EXISTS jobs_limit_change (
  name text PRIMARY KEY,
  change jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS jobs_limit_factor (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  factor double precision NOT NULL
);

CREATE OR REPLACE FUNCTION jobs_limit_open(a_name text, a_key text, OUT now_at double precision, OUT kept jobs_limit)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws('/', current_schema(), 'limit', length(a_name), a_name, a_key), 0));
  now_at := round((extract(epoch FROM clock_timestamp()) * 1000000)::numeric)::double precision;
  SELECT * INTO kept FROM jobs_limit WHERE name = a_name AND key = a_key;
  IF NOT FOUND OR kept.idle_from <= now_at THEN
    kept := (a_name, a_key, '', 0, 0, '[]', 0, 0, 0, 0, 0, 0);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_keep(kept jobs_limit, now_at double precision) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In whole seconds, so that most updates leave the index alone.
  kept.idle_from := ceil(greatest(kept.idle_from, kept.next_at, kept.again_at, kept.paused_until) / 1000000) * 1000000;
  INSERT INTO jobs_limit VALUES (kept.*)
    ON CONFLICT (name, key) DO UPDATE SET
      algorithm = kept.algorithm, gate_at = kept.gate_at, level = kept.level, parts = kept.parts, part = kept.part,
      next_at = kept.next_at, again_at = kept.again_at, healed = kept.healed, paused_until = kept.paused_until,
      idle_from = kept.idle_from;
  -- After our own row: who holds rows of others then waits for nobody.
  DELETE FROM jobs_limit WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobs_limit WHERE idle_from <= now_at LIMIT 10 FOR UPDATE SKIP LOCKED));
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_rule(
  a_name text, INOUT span double precision, INOUT period double precision, INOUT burst double precision,
  INOUT algorithm text, INOUT cost double precision, OUT part double precision, OUT step double precision
) LANGUAGE plpgsql AS $$
DECLARE
  told jsonb := (SELECT change FROM jobs_limit_change WHERE name = a_name);
  scale double precision := coalesce((SELECT factor FROM jobs_limit_factor), 1);
BEGIN
  period := period * 1000;
  IF told IS NOT NULL THEN
    burst := coalesce((told->>'burst')::double precision,
                      CASE WHEN burst = span THEN (told->>'limit')::double precision ELSE burst END);
    span := (told->>'limit')::double precision;
    period := (told->>'period')::double precision * 1000;
    algorithm := coalesce(told->>'algorithm', algorithm);
  END IF;
  span := span * scale;
  burst := greatest(burst * scale, 1);
  IF algorithm <> 'token-bucket' THEN
    IF span < 1 THEN
      period := ceil(period / span);
      span := 1;
    ELSE
      span := floor(span + 1e-9);
    END IF;
    burst := span;
  END IF;
  cost := least(cost, burst);
  part := ceil(period / ${WINDOW_PARTS});
  step := cost * CASE algorithm WHEN 'sliding-window' THEN part * ${WINDOW_PARTS + 1} ELSE period END / span;
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_gate(
  INOUT kept jobs_limit, from_at double precision, span double precision, period double precision,
  burst double precision, a_algorithm text, cost double precision, a_part double precision
) LANGUAGE plpgsql AS $$
DECLARE
  is_known boolean := kept.algorithm = a_algorithm;
  at_time double precision := greatest(from_at, CASE WHEN is_known THEN kept.gate_at ELSE 0 END);
  tokens double precision;
  missing double precision;
  last_part double precision;
  used double precision := 0;
  starts double precision[] := '{}';
  counts double precision[] := '{}';
  gone integer := 0;
  entry jsonb;
  place double precision;
  remain jsonb := '[]';
BEGIN
  IF a_algorithm = 'token-bucket' THEN
    tokens := burst;
    IF is_known THEN
      tokens := least(burst, kept.level + (at_time - kept.gate_at) * span / period);
    END IF;
    IF tokens < cost - 1e-9 THEN
      missing := ceil((cost - tokens) * period / span);
      at_time := at_time + missing;
      tokens := least(burst, tokens + missing * span / period);
    END IF;
    kept.level := tokens - cost;
    kept.idle_from := at_time + (burst - kept.level) * period / span;
  ELSIF a_algorithm = 'fixed-window' THEN
    last_part := floor(at_time / period);
    IF is_known AND floor(kept.gate_at / period) = last_part THEN
      used := kept.level;
    END IF;
    IF used + cost > span THEN
      last_part := last_part + 1;
      used := 0;
      at_time := last_part * period;
    END IF;
    kept.level := used + cost;
    kept.idle_from := (last_part + 1) * period;
  ELSE
    last_part := floor(at_time / a_part);
    IF is_known THEN
      FOR entry IN SELECT value FROM jsonb_array_elements(kept.parts) LOOP
        place := (entry->>0)::double precision;
        IF kept.part <> a_part THEN
          place := least(place + kept.part - 1, kept.gate_at);
        END IF;
        place := floor(place / a_part);
        IF place >= last_part - ${WINDOW_PARTS} THEN
          starts := starts || place;
          counts := counts || (entry->>1)::double precision;
          used := used + (entry->>1)::double precision;
        END IF;
      END LOOP;
    END IF;
    WHILE used + cost > span LOOP
      gone := gone + 1;
      used := used - counts[gone];
      last_part := starts[gone] + ${WINDOW_PARTS + 1};
    END LOOP;
    at_time := greatest(at_time, last_part * a_part);
    used := cost;
    FOR n IN gone + 1 .. cardinality(starts) LOOP
      IF starts[n] = last_part THEN
        used := used + counts[n];
      ELSIF starts[n] >= last_part - ${WINDOW_PARTS} THEN
        remain := remain || jsonb_build_array(jsonb_build_array(starts[n] * a_part, counts[n]));
      END IF;
    END LOOP;
    kept.parts := remain || jsonb_build_array(jsonb_build_array(last_part * a_part, used));
    kept.level := 0;
    kept.idle_from := at_time + a_part * ${WINDOW_PARTS + 2};
  END IF;
  kept.gate_at := at_time;
  kept.algorithm := a_algorithm;
  kept.part := a_part;
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_take(
  a_name text, a_key text, a_span double precision, a_period double precision, a_burst double precision, a_algorithm text,
  a_cost double precision, a_max_wait double precision, a_patience double precision,
  a_ticket double precision, a_round integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  opened record := jobs_limit_open(a_name, a_key);
  now_at double precision := opened.now_at;
  kept jobs_limit := opened.kept;
  entered jobs_limit;
  rule record := jobs_limit_rule(a_name, a_span, a_period, a_burst, a_algorithm, a_cost);
  soon double precision := now_at + a_patience;
  at_time double precision;
  missing double precision;
BEGIN
  IF a_ticket > soon AND a_ticket >= kept.paused_until THEN
    RETURN jsonb_build_object('isGranted', false, 'now', now_at, 'at', a_ticket, 'round', a_round);
  END IF;
  entered := jobs_limit_gate(kept, greatest(now_at, kept.paused_until), rule.span, rule.period, rule.burst,
                             rule.algorithm, rule.cost, rule.part);
  IF entered.gate_at <= soon
     AND (CASE WHEN a_ticket IS NULL THEN kept.next_at <= now_at AND kept.again_at <= now_at
               ELSE a_round > 1 OR kept.again_at <= soon END) THEN
    PERFORM jobs_limit_keep(entered, now_at);
    RETURN jsonb_build_object('isGranted', true, 'now', now_at, 'at', entered.gate_at, 'round', 0);
  END IF;
  at_time := greatest(entered.gate_at, kept.again_at);
  IF kept.again_at <= now_at THEN
    kept.healed := 0;
  END IF;
  IF a_ticket IS NULL THEN
    missing := greatest(kept.again_at - now_at - kept.healed, 0);
    IF kept.next_at > now_at THEN
      at_time := greatest(at_time, kept.next_at + missing);
    END IF;
    kept.healed := kept.healed + missing;
  END IF;
  IF at_time > now_at + a_max_wait THEN
    RETURN jsonb_build_object('isGranted', false, 'now', now_at, 'at', ceil(at_time), 'round', 0);
  END IF;
  IF a_ticket IS NULL THEN
    kept.next_at := at_time + rule.step;
    a_round := 1;
  ELSE
    kept.again_at := at_time + rule.step;
    a_round := a_round + 1;
  END IF;
  kept.idle_from := greatest(entered.idle_from, at_time + rule.step);
  PERFORM jobs_limit_keep(kept, now_at);
  RETURN jsonb_build_object('isGranted', false, 'now', now_at, 'at', ceil(at_time), 'round', a_round);
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_give_back(
  a_name text, a_key text, a_span double precision, a_period double precision, a_burst double precision, a_algorithm text,
  a_cost double precision, a_ticket double precision, a_round integer
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  opened record := jobs_limit_open(a_name, a_key);
  kept jobs_limit := opened.kept;
  rule record := jobs_limit_rule(a_name, a_span, a_period, a_burst, a_algorithm, a_cost);
BEGIN
  IF a_ticket <= opened.now_at THEN
    RETURN;
  END IF;
  IF a_round > 1 AND kept.again_at > opened.now_at THEN
    kept.again_at := greatest(kept.again_at - rule.step, opened.now_at);
    PERFORM jobs_limit_keep(kept, opened.now_at);
  ELSIF a_round = 1 AND kept.next_at > opened.now_at THEN
    kept.next_at := greatest(kept.next_at - rule.step, opened.now_at);
    PERFORM jobs_limit_keep(kept, opened.now_at);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION jobs_limit_pause(a_name text, a_key text, a_duration double precision)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  opened record := jobs_limit_open(a_name, a_key);
  kept jobs_limit := opened.kept;
BEGIN
  kept.paused_until := greatest(kept.paused_until, opened.now_at + a_duration * 1000);
  PERFORM jobs_limit_keep(kept, opened.now_at);
END $$;`;
