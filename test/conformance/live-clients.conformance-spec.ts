import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import { ResultTimeoutError, task } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { EventStreamClient } from '../support/event-stream-client.js';
import { eventually } from '../support/eventually.js';
import { httpServers } from '../support/http-servers.js';
import { make, Reports, startLiveApp, type LiveApp, type LiveSettings } from '../support/live-app.js';
import { RawClient } from '../support/raw-client.js';
import { sized } from '../support/test-form.js';

const CLIENTS = sized(500, 250);
const ROUNDS = sized(4, 3);
/** Bytes: of each client of the last two rounds as much as a response and its socket take, and no more. */
const NOISE = 5 * CLIENTS * 2 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe.each(httpServers)('clients of live status on $name', (server) => {
  let live: LiveApp;
  const sockets = new Set<Socket>();
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);

  async function serve(settings?: LiveSettings): Promise<void> {
    live = await startLiveApp(server, settings);
    (live.app.getHttpServer() as Server).on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
  }
  const nothingIsLeft = (): void =>
    expect({
      streams: live.streams.size,
      polls: live.polls.size,
      watches: live.watches.size,
      hints: live.hints.size,
      sockets: sockets.size,
    }).toEqual({ streams: 0, polls: 0, watches: 0, hints: 0, sockets: 0 });

  beforeEach(() => {
    warnings.length = 0;
    process.on('warning', onWarning);
  });
  afterEach(async () => {
    process.off('warning', onWarning);
    await live.close();
    sockets.clear();
  });

  it('[A4] one that never reads is dropped, and costs no more than what was written last', async () => {
    await serve({ pace: { heartbeat: 50, patience: 500, lastPatience: 50 } });
    const job = await live.jobs.enqueue(task(Reports, 'chat'), { lines: 24 });
    const client = (await RawClient.open(live.url)).get([`/jobs/${job.id}/events`]).stall();
    await eventually(() => live.streams.size === 1);
    const [socket] = sockets;
    let most = 0;
    const isDropped = (): boolean => {
      most = Math.max(most, socket!.writableLength);
      return live.streams.size === 0;
    };
    await eventually(isDropped, { timeout: 30_000, interval: 5 });
    expect(most).toBeLessThan(12 * 1024 * 1024);
    expect((await job.status()).state).toBe('running');
    client.leave('reset');
    await eventually(nothingIsLeft);
  });

  it('[A4] [A2] leave nothing behind when they vanish, however many', async () => {
    await serve({ options: { workers: false } });
    const all = await Promise.all(Array.from({ length: 5 }, () => live.jobs.enqueue(make, {})));
    const paths = all.flatMap(({ id }) => [`/jobs/${id}/events`, `/jobs/${id}?wait=50s`]);
    const heaps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const clients: RawClient[] = [];
      for (let n = 0; n < CLIENTS; n += 50) {
        const some = Array.from({ length: 50 }, async (_, m) =>
          (await RawClient.open(live.url)).get([paths[(n + m) % paths.length]!]),
        );
        clients.push(...(await Promise.all(some)));
      }
      await eventually(() => live.streams.size + live.polls.size === CLIENTS, { timeout: 30_000 });
      expect(live.watches.size).toBe(all.length);
      expect(live.hints.size).toBe(all.length);
      for (const [n, client] of clients.entries()) client.leave(n % 3 === 0 ? 'close' : 'reset');
      await eventually(nothingIsLeft, { timeout: 30_000 });
      heaps.push(heapUsed());
    }
    expect(heaps.at(-1)! - heaps[1]!).toBeLessThan(NOISE);
  }, 120_000);

  it('[A4] share one stream of events of the store', async () => {
    await serve({ options: { workers: false } });
    const create = jest.spyOn(live.app.get<QueueBackend>(QUEUE_BACKEND, { strict: false }), 'createQueueEvents');
    const all = await Promise.all(Array.from({ length: 5 }, () => live.jobs.enqueue(make, {})));
    const clients = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const { id } = all[n % all.length]!;
        return (await RawClient.open(live.url)).get([n % 2 ? `/jobs/${id}/events` : `/jobs/${id}?wait=50s`]);
      }),
    );
    await eventually(() => live.streams.size + live.polls.size === clients.length);
    const results = all.map((job) => expect(job.result({ timeout: 100 })).rejects.toThrow(ResultTimeoutError));
    await Promise.all(results);
    expect(create.mock.calls).toEqual([['default']]);
    for (const client of clients) client.leave('reset');
    await eventually(nothingIsLeft);
  });

  it('[A2] one that waits again and again, or many times at once, is listened to once', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const client = await RawClient.open(live.url);
    const answers = (): number => client.text.split('HTTP/1.1 200').length - 1;
    for (let n = 1; n <= 30; n++) {
      client.get([`/jobs/${job.id}?wait=1ms`]);
      await eventually(() => answers() === n, { interval: 1 });
    }
    const [socket] = sockets;
    const before = socket!.listenerCount('close');
    client.get(Array.from({ length: 30 }, () => `/jobs/${job.id}?wait=50s`));
    await eventually(() => live.polls.size > 0);
    for (const step of live.reports.steps) step.reach();
    await eventually(() => answers() === 60);
    expect(socket!.listenerCount('close')).toBeLessThanOrEqual(before);
    expect(warnings).toEqual([]);
    client.leave('close');
    await eventually(nothingIsLeft);
  });

  it('[A2] one that asks many times at once and leaves is waited for by nothing', async () => {
    await serve({ options: { workers: false } });
    const job = await live.jobs.enqueue(make, {});
    const client = (await RawClient.open(live.url)).get(Array.from({ length: 5 }, () => `/jobs/${job.id}?wait=50s`));
    await eventually(() => live.polls.size > 0);
    client.leave('reset');
    await eventually(nothingIsLeft);
  });

  it('[A2] [A4] that left before they were let in are not waited for', async () => {
    let ask!: () => void;
    let letIn!: (answer: boolean) => void;
    const asked = new Promise<void>((resolve) => (ask = resolve));
    const answer = new Promise<boolean>((resolve) => (letIn = resolve));
    let asks = 0;
    const authorize = (): Promise<boolean> => {
      if (++asks === 2) ask();
      return answer;
    };
    await serve({ options: { workers: false }, http: { authorize } });
    const job = await live.jobs.enqueue(make, {});
    for (const path of [`/jobs/${job.id}/events`, `/jobs/${job.id}?wait=50s`]) {
      const client = (await RawClient.open(live.url)).get([path]);
      void asked.then(() => client.leave('reset'));
    }
    await asked;
    await eventually(() => sockets.size === 0);
    letIn(true);
    // Others are let in after them.
    const last = (await RawClient.open(live.url)).get([`/jobs/${job.id}/events`]);
    await eventually(() => live.streams.size > 0);
    last.leave('close');
    await eventually(nothingIsLeft);
  });

  it('[A2] [A4] do not keep the server from closing, and are answered', async () => {
    await serve({ options: { workers: false } });
    const job = await live.jobs.enqueue(make, {});
    const open = async (path: string): Promise<RawClient> => (await RawClient.open(live.url)).get([path]);
    const streams = await Promise.all(Array.from({ length: 5 }, () => open(`/jobs/${job.id}/events`)));
    const polls = await Promise.all(Array.from({ length: 5 }, () => open(`/jobs/${job.id}?wait=50s`)));
    await eventually(() => live.streams.size === 5 && live.polls.size === 5);
    await eventually(() => streams.every(({ text }) => text.includes('event: state')));
    const ends = [...streams, ...polls].map(({ socket }) => once(socket, 'end'));
    await live.app.close();
    await Promise.all(ends);
    for (const { text } of polls) expect(text).toMatch(/^HTTP\/1\.1 200.*"state":"pending"/s);
    for (const { text } of streams) expect(text).toMatch(/\r\n0\r\n\r\n$/);
    nothingIsLeft();
  }, 30_000);

  it('[A4] [A7] are told of what happened when no event says so', async () => {
    await serve();
    const job = await live.jobs.enqueue(make, {});
    const client = await EventStreamClient.open(`${live.url}/jobs/${job.id}/events`);
    const waiting = fetch(`${live.url}/jobs/${job.id}?wait=50s`);
    await eventually(() => client.of('log').length === 1 && live.polls.size === 1);
    await live.app.get(Queues, { strict: false }).eventsOf('default').close();
    for (const step of live.reports.steps) step.reach();
    await client.ended;
    expect(client.of('state').at(-1)).toMatchObject({ state: 'succeeded', result: 'done' });
    expect(client.of('log')).toEqual([{ line: 'began' }, { line: 'half of it' }]);
    expect(await (await waiting).json()).toMatchObject({ state: 'succeeded' });
  });
});
