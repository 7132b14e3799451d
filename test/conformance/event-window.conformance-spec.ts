import { setTimeout as pause } from 'node:timers/promises';
import { runMigrations, type PgQueryable } from 'bullmq';
import pg from 'pg';
import { EventWindow } from '../../libs/jobs/src/backend/sql/event-window.js';
import { backends, postgresUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';

// `describe.each` refuses an empty table: a run for another backend has nothing to do here.
const table = backends.filter(({ name }) => name === 'postgres');
if (table.length > 0) {
  describe.each(table)('the event window on $name', () => {
    const schema = uniqueNamespace();
    let pool: pg.Pool;

    beforeAll(async () => {
      pool = new pg.Pool({ connectionString: postgresUrl(), max: 24, options: `-c search_path=${schema}` });
      const client = await pool.connect();
      await runMigrations(client, schema);
      client.release();
    });
    afterEach(() => {
      for (const client of taken.splice(0)) client.release();
    });
    afterAll(() => pool.end());

    const taken: pg.PoolClient[] = [];
    async function take(): Promise<pg.PoolClient> {
      const client = await pool.connect();
      taken.push(client);
      return client;
    }

    /** One event, with a number of its own, and the transaction that it is in. */
    async function publish(client: pg.ClientBase, queue: string, n: number): Promise<void> {
      await client.query('SELECT publish_event($1, $2, $3)', [queue, 'told', JSON.stringify({ n })]);
    }

    async function readAll(window: EventWindow): Promise<number[]> {
      const numbers: number[] = [];
      for (let events = await window.next(); events.length > 0; events = await window.next()) {
        numbers.push(...events.map(({ data }) => (data as { n: number }).n));
      }
      return numbers;
    }

    it('tells once of an event that is committed after hundreds of younger ones were read', async () => {
      const window = await EventWindow.open(pool, 'late');
      const late = await take();
      await late.query('BEGIN');
      await publish(late, 'late', -1);
      const quick = await take();
      for (let n = 0; n < 500; n++) {
        await publish(quick, 'late', n);
        if (n % 50 === 49) expect(await readAll(window)).toHaveLength(50);
      }
      await late.query('COMMIT');
      expect(await readAll(window)).toEqual([-1]);
      expect(await readAll(window)).toEqual([]);
    });

    it('tells of an event of a transaction that is under way and younger than all that have ended', async () => {
      const window = await EventWindow.open(pool, 'young');
      const [older, younger] = [await take(), await take()];
      for (const client of [older, younger]) {
        await client.query('BEGIN');
        await client.query('SELECT pg_current_xact_id()');
      }
      await publish(younger, 'young', 1);
      // Many ids later, nobody has ended: a snapshot then names the older one as the next.
      await younger.query(`SELECT nextval('event_seq') FROM generate_series(1, 2000)`);
      for (let n = 0; n < 3; n++) expect(await readAll(window)).toEqual([]);
      await older.query('COMMIT');
      for (let n = 0; n < 3; n++) expect(await readAll(window)).toEqual([]);
      await younger.query('COMMIT');
      expect(await readAll(window)).toEqual([1]);
    });

    it('tells once of each event of transactions that begin and end in every order', async () => {
      const window = await EventWindow.open(pool, 'crowd');
      const told: number[] = [];
      let next = 0;
      let writing = true;
      const write = async (): Promise<void> => {
        const client = await take();
        while (next < 3_000) {
          const n = next++;
          await client.query('BEGIN');
          // Some take their transaction number before the event's id, some after it; some take long to commit.
          if (n % 3 === 0) await client.query('SELECT pg_current_xact_id()');
          await publish(client, 'crowd', n);
          if (n % 7 === 0) await pause(n % 50);
          await client.query('COMMIT');
        }
      };
      const written = Promise.all(Array.from({ length: 20 }, write)).then(() => (writing = false));
      while (writing) told.push(...(await readAll(window)));
      await written;
      told.push(...(await readAll(window)));
      expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    });

    it('remembers little, however many events there are to catch up with', async () => {
      let most = 0;
      const watched = {
        query: (text: string, params: unknown[] = []) => {
          const read = params[2];
          if (Array.isArray(read)) most = Math.max(most, read.length);
          return pool.query(text, params);
        },
      } as PgQueryable;
      const window = await EventWindow.open(watched, 'many');
      const many = (from: number) =>
        pool.query(
          `SELECT publish_event('many', 'told', jsonb_build_object('n', n)) FROM generate_series($1::int, $1::int + 1999) n`,
          [from],
        );
      // A transaction of anybody's that is under way on the server, of another test too, makes it remember more.
      await eventually(async () => {
        most = 0;
        await many(0);
        await many(2_000);
        expect(await readAll(window)).toHaveLength(4_000);
        expect(most).toBeLessThan(1_000);
      });
    });

    it('goes on after a restored backup, whose ids begin again', async () => {
      const window = await EventWindow.open(pool, 'restored');
      const client = await take();
      for (let n = 0; n < 300; n++) await publish(client, 'restored', n);
      expect(await readAll(window)).toHaveLength(300);
      await client.query(`DELETE FROM event; SELECT setval('event_seq', last_value - 250) FROM event_seq`);
      for (let n = 1_000; n < 1_100; n++) await publish(client, 'restored', n);
      expect(await readAll(window)).toEqual(Array.from({ length: 100 }, (_, n) => 1_000 + n));
    });
  });
}
