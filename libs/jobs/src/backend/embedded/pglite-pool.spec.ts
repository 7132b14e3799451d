import { jest } from '@jest/globals';
import { LATEST_SCHEMA_VERSION, runMigrations } from 'bullmq';
import { openPglitePool, type PglitePool } from './pglite-pool.js';

// A new database takes seconds.
jest.setTimeout(60_000);

const IN_MEMORY = { dataDir: 'memory://', searchPath: 'jobs', lockGrace: 0 };

describe('PglitePool', () => {
  let pool: PglitePool;

  beforeAll(async () => {
    pool = await openPglitePool(IN_MEMORY);
    await pool.query('CREATE SCHEMA jobs; CREATE TABLE entry (id serial PRIMARY KEY, text text UNIQUE NOT NULL)');
  });
  afterAll(() => pool.end());
  beforeEach(() => pool.query('TRUNCATE entry RESTART IDENTITY'));

  const texts = async () => {
    const { rows } = await pool.query<{ text: string }>('SELECT text FROM entry ORDER BY id');
    return rows.map(({ text }) => text);
  };

  describe('results', () => {
    it('has the values that node-postgres gives', async () => {
      const { rows } =
        await pool.query(`SELECT 9007199254740993::int8 AS int8, 1.50::numeric AS numeric, 7::int4 AS int4,
        1.5::float8 AS float8, true AS boolean, 'x' AS text, NULL AS nothing, '{"a": [1, null]}'::json AS json,
        '"x"'::jsonb AS jsonb, '2026-01-02 03:04:05.678+00'::timestamptz AS timestamptz, 'infinity'::timestamptz AS never,
        '2026-01-02'::date AS date, '\\x00ff'::bytea AS bytea, ARRAY[1, 2]::int8[] AS int8s, ARRAY['{"a": 1}'::jsonb] AS jsonbs`);
      expect(rows).toEqual([
        {
          int8: '9007199254740993',
          numeric: '1.50',
          int4: 7,
          float8: 1.5,
          boolean: true,
          text: 'x',
          nothing: null,
          json: { a: [1, null] },
          jsonb: 'x',
          timestamptz: new Date('2026-01-02T03:04:05.678Z'),
          never: Infinity,
          date: new Date(2026, 0, 2),
          bytea: Buffer.from([0, 255]),
          int8s: ['1', '2'],
          jsonbs: [{ a: 1 }],
        },
      ]);
    });

    it('takes the parameters that node-postgres takes', async () => {
      const at = new Date('2026-01-02T03:04:05.678Z');
      const { rows } = await pool.query(
        `SELECT $1::timestamptz AS date, $2::int8 AS bigint, $3::jsonb AS object, $4::text[] AS array, $5::bytea AS bytes,
          $6::boolean AS boolean, $7::text AS missing, $8::jsonb AS json, $9::text AS number`,
        [at, 2n ** 60n, { at }, ['a"b', null], Buffer.from('x'), false, undefined, '"text"', 5],
      );
      expect(rows).toEqual([
        {
          date: at,
          bigint: String(2n ** 60n),
          object: { at: at.toISOString() },
          array: ['a"b', null],
          bytes: Buffer.from('x'),
          boolean: false,
          missing: null,
          json: 'text',
          number: '5',
        },
      ]);
    });

    it('counts rows', async () => {
      const counts: unknown[] = [];
      for (const text of [
        `INSERT INTO entry (text) VALUES ('a'), ('b')`,
        'SELECT * FROM entry',
        `UPDATE entry SET text = text || '!' WHERE id = 1 RETURNING *`,
        'DELETE FROM entry WHERE id > 100',
        'CREATE TEMP TABLE counted (id int)',
      ]) {
        counts.push((await pool.query(text)).rowCount);
      }
      expect(counts).toEqual([2, 2, 1, 0, null]);
    });

    it('gives the last result of several statements', async () => {
      const result = await pool.query(`INSERT INTO entry (text) VALUES ('a'), ('b'), ('c'); SELECT 1 AS one`);
      expect(result).toEqual({ rows: [{ one: 1 }], rowCount: 1 });
      expect(await texts()).toEqual(['a', 'b', 'c']);
    });

    it('gives nothing for a text without a statement', async () => {
      expect(await pool.query('-- nothing')).toEqual({ rows: [], rowCount: null });
    });
  });

  describe('errors', () => {
    it.each([
      ['SELECT * FROM missing', { code: '42P01', message: 'relation "missing" does not exist' }],
      [
        `DO $$ BEGIN RAISE EXCEPTION 'missing lock' USING errcode = 'BM001', detail = '-2', hint = 'wait'; END $$`,
        { code: 'BM001', message: 'missing lock', detail: '-2', hint: 'wait' },
      ],
      [
        `INSERT INTO entry (text) VALUES ('a'), ('a')`,
        { code: '23505', constraint: 'entry_text_key', detail: 'Key (text)=(a) already exists.', table: 'entry' },
      ],
    ])('has what Postgres says: %s', async (text, expected) => {
      const error = await pool.query(text).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(error).toMatchObject(expected);
    });

    it('names the caller in the stack', async () => {
      async function askForTrouble() {
        await pool.query('SELECT 1/0');
      }
      await expect(askForTrouble()).rejects.toMatchObject({ stack: expect.stringContaining('askForTrouble') });
    });

    it('rejects a parameter that cannot be sent, and goes on', async () => {
      await expect(pool.query('SELECT $1::text[]', [[() => 'a function']])).rejects.toThrow('could not be cloned');
      await expect(pool.query('SELECT $1::boolean', ['perhaps'])).rejects.toThrow('boolean');
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });

    it('is a normal error when a function recurses without end', async () => {
      await pool.query('CREATE FUNCTION forever() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN forever(); END $$');
      await expect(pool.query('SELECT forever()')).rejects.toMatchObject({ code: '54001' });
      expect(await texts()).toEqual([]);
    });
  });

  describe('transactions', () => {
    it.each([1, 8, 32])('belong to their client while others wait, at concurrency %i', async (concurrency) => {
      await pool.query(`INSERT INTO entry (text) VALUES ('0')`);
      const transactions = 4 * concurrency;
      const transact = async (number: number) => {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          const { rows } = await client.query<{ text: string }>('SELECT text FROM entry WHERE id = 1');
          await client.query('UPDATE entry SET text = $1 WHERE id = 1', [String(Number(rows[0]?.text) + 1)]);
          await client.query(number % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
        } finally {
          client.release();
        }
      };
      const work = async (worker: number) => {
        for (let number = worker; number < transactions; number += concurrency) {
          const beside = pool.query('INSERT INTO entry (text) VALUES ($1)', [`beside ${number}`]);
          await Promise.all([transact(number), beside]);
        }
      };
      await Promise.all(Array.from({ length: concurrency }, (_, worker) => work(worker)));

      const [count, ...beside] = await texts();
      expect(Number(count)).toBe(Math.ceil(transactions / 2));
      expect(beside).toHaveLength(transactions);
    });

    it('let others run in the order of their calls, after it', async () => {
      const order: string[] = [];
      const client = await pool.connect();
      await client.query('BEGIN');
      const others = ['first', 'second', 'third'].map(async (text) => {
        await pool.query('INSERT INTO entry (text) VALUES ($1)', [text]);
        order.push(text);
      });
      await client.query(`INSERT INTO entry (text) VALUES ('mine')`);
      await client.query('COMMIT');
      order.unshift('committed');
      client.release();
      await Promise.all(others);
      expect(order).toEqual(['committed', 'first', 'second', 'third']);
      expect(await texts()).toEqual(['mine', 'first', 'second', 'third']);
    });

    it('are rolled back when their client is released', async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query(`INSERT INTO entry (text) VALUES ('mine')`);
      client.release();
      client.release();
      expect(await texts()).toEqual([]);
      await expect(client.query('SELECT 1')).rejects.toThrow('released');
    });

    it('are kept after an error, until the client rolls back', async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
      const other = texts();
      await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
      await client.query('ROLLBACK');
      expect(await other).toEqual([]);
      client.release();
    });

    it.each(['BEGIN', `SELECT 1; BEGIN; INSERT INTO entry (text) VALUES ('lost')`, 'BEGIN; SELECT 1/0'])(
      'are refused without a client: %s',
      async (text) => {
        await expect(pool.query(text)).rejects.toThrow('connect()');
        expect(await texts()).toEqual([]);
        expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      },
    );

    it('may be one text, without a client', async () => {
      await pool.query(`BEGIN; INSERT INTO entry (text) VALUES ('a'); COMMIT`);
      expect(await texts()).toEqual(['a']);
    });
  });

  describe('BullMQ migrations', () => {
    it('run, and are a no-op when they run again; the search path is left as it was', async () => {
      const versions: number[] = [];
      for (let run = 0; run < 2; run++) {
        const client = await pool.connect();
        versions.push(await runMigrations(client, 'other'));
        client.release();
      }
      const { rows } = await pool.query(
        `SELECT count(*)::int AS applied, current_setting('search_path') AS path FROM other.migration`,
      );
      expect(versions).toEqual([LATEST_SCHEMA_VERSION, LATEST_SCHEMA_VERSION]);
      expect(rows).toEqual([{ applied: LATEST_SCHEMA_VERSION, path: 'jobs' }]);
    });
  });

  describe('listen', () => {
    const notify = (channel: string, payload: string) => pool.query('SELECT pg_notify($1, $2)', [channel, payload]);
    const listened = async () => (await pool.query('SELECT pg_listening_channels() AS channel')).rows;

    it('shares one LISTEN, which ends with the last listener', async () => {
      const first: string[] = [];
      const second: string[] = [];
      const stopFirst = await pool.listen('Some "channel"', { onNotify: (payload) => first.push(payload) });
      const stopSecond = await pool.listen('Some "channel"', { onNotify: (payload) => second.push(payload) });
      await notify('Some "channel"', 'a');
      await stopFirst();
      await stopFirst();
      await notify('Some "channel"', 'b');
      expect(await listened()).toEqual([{ channel: 'Some "channel"' }]);
      await stopSecond();
      expect(await listened()).toEqual([]);
      await notify('Some "channel"', 'c');
      expect({ first, second }).toEqual({ first: ['a'], second: ['a', 'b'] });
    });

    it('hears of a channel again after it was left and entered at once', async () => {
      const heard: string[] = [];
      const stop = await pool.listen('channel', { onNotify: () => undefined });
      const [, stopAgain] = await Promise.all([
        stop(),
        pool.listen('channel', { onNotify: (payload) => heard.push(payload) }),
      ]);
      await notify('channel', 'a');
      expect(heard).toEqual(['a']);
      await stopAgain();
    });

    it('hears what a transaction says when it commits', async () => {
      const heard: string[] = [];
      const stop = await pool.listen('channel', { onNotify: (payload) => heard.push(payload) });
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query(`NOTIFY channel, 'a'`);
      expect(heard).toEqual([]);
      await client.query('COMMIT');
      client.release();
      expect(heard).toEqual(['a']);
      await stop();
    });
  });

  it('warns of no leak when BullMQ adds an error listener for each connection', () => {
    expect(pool.getMaxListeners()).toBe(0);
  });
});
