/** Of {@link SqlScheduleStore}. `body` is text: jsonb would change the order of keys. @internal */
export const SCHEDULES_SCHEMA = `
CREATE TABLE IF NOT EXISTS jobs_schedule (
  name text COLLATE "C" PRIMARY KEY,
  version integer NOT NULL,
  body text NOT NULL,
  next_at bigint,
  owner text COLLATE "C"
);
CREATE INDEX IF NOT EXISTS jobs_schedule_next ON jobs_schedule (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_schedule_owner ON jobs_schedule (owner, name) WHERE owner IS NOT NULL;`;
