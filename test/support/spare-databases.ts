import { PgliteSession, type PgliteSessionOptions } from '../../libs/jobs/src/backend/embedded/pglite-session.js';

/** Each takes memory, and tests seldom have more open at once. */
const MOST_SPARE = 2;

/** A database to which a test has added something is not handed on. */
const OBJECTS = `
SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'S', 'i'))
     + (SELECT count(*) FROM pg_proc WHERE oid >= 16384) + (SELECT count(*) FROM pg_trigger)`;

/** But for the versions of the schema. To truncate what has never had a row takes as long as what has. */
const EMPTY = `
DO $$
DECLARE
  filled text;
BEGIN
  SELECT string_agg(oid::regclass::text, ', ') INTO filled FROM pg_class
    WHERE relkind = 'r' AND oid >= 16384 AND relname !~ 'migration$' AND pg_relation_size(oid) > 0;
  IF filled IS NOT NULL THEN
    EXECUTE 'TRUNCATE ' || filled || ' RESTART IDENTITY CASCADE';
  END IF;
  PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND oid >= 16384;
END $$`;

const spares: PgliteSession[] = [];
let isOver = false;
let objects: unknown;
const open = PgliteSession.open.bind(PgliteSession);

// Set up for each file of tests. Its apps get the memory database of one before them, emptied: to start Postgres in
// WebAssembly and to make our tables takes ten times as long as the rest of a boot. A directory is opened as ever.
PgliteSession.open = async (options) => {
  if (!isSharable(options)) return open(options);
  const session = spares.pop() ?? (await open(options));
  await run(session, `SET search_path TO "${options.searchPath}"`);
  giveBackWhenClosed(session);
  return session;
};

afterAll(async () => {
  // Apps that a failed test has left are closed later.
  isOver = true;
  await Promise.all(spares.splice(0).map((session) => session.close()));
});

function isSharable({ dataDir, template, thread }: PgliteSessionOptions): boolean {
  return dataDir === 'memory://' && template !== undefined && thread === undefined;
}

function giveBackWhenClosed(session: PgliteSession): void {
  let closing: Promise<void> | undefined;
  const end = () => PgliteSession.prototype.close.call(session);
  session.close = () => (closing ??= giveBack(session).then(async (isSpare) => (isSpare ? undefined : end())));
}

async function giveBack(session: PgliteSession): Promise<boolean> {
  session.removeAllListeners();
  if (isOver || spares.length >= MOST_SPARE) return false;
  try {
    await run(session, 'DISCARD ALL');
    const there = await run(session, OBJECTS);
    objects ??= there;
    if (there !== objects) return false;
    await run(session, EMPTY);
  } catch {
    // It is of no use any more, say because a test has stopped it.
    return false;
  }
  if (isOver) return false;
  Reflect.deleteProperty(session, 'close');
  spares.push(session);
  return true;
}

async function run(session: PgliteSession, text: string): Promise<unknown> {
  const answer = await session.execute({ text, mayLeaveTransaction: false });
  if (answer.kind === 'failure') throw new Error(`${text}: ${answer.error.message}`);
  return Object.values(answer.rows[0] ?? {})[0];
}
