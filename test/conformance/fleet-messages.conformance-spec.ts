import type { PostgresConnection } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { BackendUnavailableError } from '../../libs/jobs/src/backend/backend.errors.js';
import { FleetMessageTooLargeError } from '../../libs/jobs/src/backend/fleet-messages.errors.js';
import { LARGEST_PAYLOAD } from '../../libs/jobs/src/backend/message-payload.js';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { backends, postgresUrl, redisUrl, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { Inbox } from '../support/inbox.js';
import { MemoryLogger } from '../support/memory-logger.js';

describe.each(backends)('messages of the fleet on $name', ({ connection, name }) => {
  let namespace: string;
  let logger: MemoryLogger;
  /** Two processes of one namespace. An embedded store has only one. */
  let one: QueueBackend;
  let other: QueueBackend;
  const cleanUp: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    namespace = uniqueNamespace();
    logger = new MemoryLogger();
    one = await open(namespace);
    other = name === 'embedded' ? one : await open(namespace);
  });
  afterEach(async () => {
    for (const end of cleanUp.splice(0).toReversed()) await end();
  });

  async function open(ofNamespace: string, at = connection()!): Promise<QueueBackend> {
    const backend = await openBackend(resolveOptions({ connection: at, namespace: ofNamespace }), logger);
    cleanUp.push(() => backend.close(10_000));
    await backend.whenReady(10_000);
    return backend;
  }

  async function listen(backend: QueueBackend, channel: string): Promise<Inbox> {
    const inbox = Inbox.of(backend, channel);
    await inbox.subscription.inEffect;
    return inbox;
  }

  it('reach everybody who listens, whoever publishes, and nobody on another channel', async () => {
    const inboxes = await Promise.all([listen(one, 'cancel'), listen(one, 'cancel'), listen(other, 'cancel')]);
    const elsewhere = await listen(other, 'cance');
    await one.messages.publish('cancel', { jobId: 'a' });
    await other.messages.publish('cancel', { jobId: 'b' });
    await one.messages.publish('cance', 'last');
    await elsewhere.has('last');
    for (const inbox of inboxes) {
      await inbox.has({ jobId: 'b' });
      expect(inbox.received).toEqual([{ jobId: 'a' }, { jobId: 'b' }]);
    }
    expect(elsewhere.received).toEqual(['last']);
  });

  it('stay in their namespace', async () => {
    const stranger = await open(`${namespace}_x`.slice(-48));
    const [home, abroad] = await Promise.all([listen(one, 'cancel'), listen(stranger, 'cancel')]);
    await other.messages.publish('cancel', 'home');
    await stranger.messages.publish('cancel', 'abroad');
    await Promise.all([home.has('home'), abroad.has('abroad')]);
    await other.messages.publish('cancel', 'home again');
    await home.has('home again');
    expect([home.received, abroad.received]).toEqual([['home', 'home again'], ['abroad']]);
  });

  it('are heard by no one who has unsubscribed, and still by the others', async () => {
    const [gone, stays] = await Promise.all([listen(one, 'c'), listen(one, 'c')]);
    await other.messages.publish('c', 1);
    await Promise.all([gone.has(1), stays.has(1)]);
    gone.subscription.unsubscribe();
    gone.subscription.unsubscribe();
    await other.messages.publish('c', 2);
    await stays.has(2);
    stays.subscription.unsubscribe();
    const back = await listen(one, 'c');
    await other.messages.publish('c', 3);
    await back.has(3);
    expect([gone.received, stays.received, back.received]).toEqual([[1], [1, 2], [3]]);
  });

  it('are heard once by those after a listener that throws, rejects, ends another or subscribes one', async () => {
    const subscribed: Inbox[] = [];
    const failing = [
      one.messages.subscribe('c', () => {
        throw new Error('thrown by a listener');
      }),
      one.messages.subscribe('c', async () => Promise.reject(new Error('rejected by a listener'))),
      one.messages.subscribe('c', () => ended.subscription.unsubscribe()),
      one.messages.subscribe('c', () => void subscribed.push(Inbox.of(one, 'c'))),
    ];
    await Promise.all(failing.map(({ inEffect }) => inEffect));
    const ended = await listen(one, 'c');
    const inbox = await listen(one, 'c');
    await other.messages.publish('c', 1);
    await other.messages.publish('c', 2);
    await inbox.has(2);
    expect([inbox.received, ended.received]).toEqual([[1, 2], []]);
    expect(subscribed.map(({ received }) => received)).toEqual([[2], []]);
    await eventually(() => expect(logger.text()).toMatch(/rejected by a listener/));
    expect(logger.text()).toMatch(/A listener of the channel "c" failed: Error: thrown by a listener/);
  });

  it('are a copy for each listener', async () => {
    const spoiler = one.messages.subscribe('c', (message) => void (message as string[]).push('spoilt'));
    await spoiler.inEffect;
    const inbox = await listen(one, 'c');
    await other.messages.publish('c', ['fresh']);
    await inbox.has(['fresh']);
  });

  it('go to the channel with exactly that name, however odd', async () => {
    const odd = [
      '*',
      'c*',
      '[c]',
      ' ',
      'c ',
      'C',
      'ç',
      '"c"',
      "'; --",
      'a\nb',
      '\u0000',
      '{c}',
      '🐘',
      '%20',
      'x'.repeat(5_000),
    ];
    const inboxes = await Promise.all(odd.map((channel) => listen(one, channel)));
    for (const channel of odd) await other.messages.publish(channel, channel.slice(0, 9));
    for (const [n, channel] of odd.entries()) {
      await inboxes[n]!.has(channel.slice(0, 9));
      expect(inboxes[n]!.received).toEqual([channel.slice(0, 9)]);
    }
  });

  it('come in the order in which one process published them, also when they are the same', async () => {
    const inbox = await listen(one, 'c');
    const sent = Array.from({ length: 1_000 }, (_, n) => Math.floor(n / 2));
    for (const n of sent) await other.messages.publish('c', n);
    await other.messages.publish('c', 'last');
    await inbox.has('last');
    expect(inbox.received).toEqual([...sent, 'last']);
  });

  it('carry whatever JSON has, up to a size that is the same on every store', async () => {
    const inbox = await listen(one, 'größe');
    const room = LARGEST_PAYLOAD - Buffer.byteLength(`${encodeURIComponent('größe')} ""`);
    const largest = 'ü'.repeat(Math.floor(room / 2)) + 'x'.repeat(room % 2);
    for (const message of [null, false, 0, '', 'a\u0000\ud800b', { ['__proto__']: [1] }, largest]) {
      await other.messages.publish('größe', message);
      await inbox.has(message);
    }
    const tooLarge = other.messages.publish('größe', `${largest}x`);
    await expect(tooLarge).rejects.toThrow(FleetMessageTooLargeError);
    await expect(tooLarge).rejects.toThrow('takes 7901 bytes with the name of its channel, and 7900 are allowed');
  });

  it('are dropped when they are not ours, without harm', async () => {
    const inbox = await listen(one, 'c');
    const send = await intruder();
    for (const payload of [' ', 'c', 'c ', 'c {', ' c 1', 'c 1 2', `c "${'x'.repeat(7_950)}"`, '%zz 1', 'C 1'])
      await send(payload);
    await send('c {"well":"formed"}');
    await inbox.has({ well: 'formed' });
    expect(inbox.received).toEqual([{ well: 'formed' }]);
    expect(logger.debugged()).toContain('A message from the fleet was dropped: it is no JSON.');
    expect(logger.debugged()).toContain('A message from the fleet was dropped: it is too large or no message of ours.');
  });

  /** Sends anything where our messages are sent. */
  async function intruder(): Promise<(payload: string) => Promise<unknown>> {
    if (name !== 'redis') {
      const queue = one.createQueue('any');
      cleanUp.push(() => queue.close());
      const { connection: sql } = queue.getBackend() as unknown as { connection: PostgresConnection };
      return (payload) => sql.pool.query('SELECT pg_notify($1, $2)', [`${namespace}_messages`, payload]);
    }
    const client = new Redis(redisUrl());
    cleanUp.push(async () => client.disconnect());
    const [channel] = (await client.pubsub('CHANNELS', `{${namespace}}*`)) as string[];
    return (payload) => client.publish(channel!, payload);
  }

  it('are refused and heard no more by a process that has closed', async () => {
    const closed = await listen(one, 'c');
    await one.close(10_000);
    await expect(one.messages.publish('c', 1, 200)).rejects.toThrow(BackendUnavailableError);
    one.messages.subscribe('c', () => undefined).unsubscribe();
    if (other !== one) {
      const inbox = await listen(other, 'c');
      await other.messages.publish('c', 2);
      await inbox.has(2);
    }
    expect(closed.received).toEqual([]);
  });

  it('[C8] keep no process alive that has closed', async () => {
    const alive = (): string[] => process.getActiveResourcesInfo();
    const timers = (): number => alive().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    await listen(one, 'c');
    for (const end of cleanUp.splice(0)) await end();
    await eventually(() => !alive().includes('TCPSocketWrap') && !alive().includes('MessagePort'));
    expect(timers()).toBeLessThanOrEqual(before);
  });

  if (name === 'postgres') {
    it('take the one connection that listens, and none before somebody does', async () => {
      const application_name = namespace.slice(0, 40);
      const backend = await open(namespace, {
        postgres: { connectionString: postgresUrl(), application_name, max: 2 },
      });
      const admin = new pg.Client(postgresUrl());
      await admin.connect();
      cleanUp.push(() => admin.end());
      const listening = async (): Promise<number> => {
        const text = `SELECT FROM pg_stat_activity WHERE application_name = $1`;
        return (await admin.query(text, [`${application_name} listener`])).rowCount!;
      };
      await backend.messages.publish('c', 1);
      expect(await listening()).toBe(0);
      await Promise.all(['a', 'b', 'c'].map((channel) => listen(backend, channel)));
      expect(await listening()).toBe(1);
    });
  }

  if (name === 'redis') {
    it('stay in their database', async () => {
      const second = await open(namespace, `${redisUrl()}/1`);
      const [first, apart] = await Promise.all([listen(one, 'c'), listen(second, 'c')]);
      await other.messages.publish('c', 1);
      await second.messages.publish('c', 2);
      await Promise.all([first.has(1), apart.has(2)]);
      expect([first.received, apart.received]).toEqual([[1], [2]]);
    });

    it('take one connection, of who listens, while it does', async () => {
      const { hostname: host, port } = new URL(redisUrl());
      const backend = await open(namespace, { redis: { host, port: Number(port), connectionName: namespace } });
      const admin = new Redis(redisUrl());
      cleanUp.push(async () => admin.disconnect());
      const connections = async (): Promise<number> =>
        ((await admin.client('LIST')) as string).split('\n').filter((line) => line.includes(` name=${namespace} `))
          .length;
      await backend.messages.publish('c', 1);
      expect(await connections()).toBe(1);
      const inboxes = await Promise.all(['a', 'b', 'c'].map((channel) => listen(backend, channel)));
      expect(await connections()).toBe(2);
      for (const { subscription } of inboxes) subscription.unsubscribe();
      await eventually(async () => expect(await connections()).toBe(1));
    });

    it('say once that a user may not listen, and go on when it may', async () => {
      const admin = new Redis(redisUrl());
      cleanUp.push(async () => admin.disconnect());
      const { hostname: host, port } = new URL(redisUrl());
      await admin.acl('SETUSER', namespace, 'on', '>secret', '~*', '+@all', 'resetchannels');
      cleanUp.push(() => admin.acl('DELUSER', namespace));
      const backend = await open(namespace, {
        redis: { host, port: Number(port), username: namespace, password: 'secret' },
      });
      const inbox = Inbox.of(backend, 'c');
      await expect(backend.messages.publish('c', 1)).rejects.toThrow(/can't publish|NOPERM/);
      await eventually(() =>
        expect(logger.text()).toMatch(/Messages from the fleet are not heard: Redis refused .*NOPERM/),
      );
      await admin.acl('SETUSER', namespace, `&{${namespace}}:*`);
      await inbox.subscription.inEffect;
      await backend.messages.publish('c', 2);
      await inbox.has(2);
      expect(logger.text().match(/not heard/g)).toHaveLength(1);
    });
  }
});
