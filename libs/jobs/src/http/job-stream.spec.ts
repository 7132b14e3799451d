import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { JobStatus } from '../client/job-status.js';
import type { JobWatches, SeenJob } from '../client/job-watches.js';
import { eventually } from '../../../../test/support/eventually.js';
import { EventStream } from './event-stream.js';
import { JobStream } from './job-stream.js';

/** Of which the buffers of two sockets hold a part only. */
const LINES = 1_000;
const LINE = 'x'.repeat(64 * 1024);
const RUNNING = { id: 'default_1', state: 'running', terminal: false } as JobStatus;

describe('a stream of events to a client that does not take them', () => {
  let server: Server;
  let client: Socket;
  let response: ServerResponse;
  let stream: JobStream;
  let overs = 0;
  let onSeen: (seen: SeenJob) => void;
  let mostLines = 0;
  let linesRead = 0;
  let received = 0;

  const seen = (status: JobStatus): SeenJob => ({ status, text: JSON.stringify(status), lines: LINES });
  const watches = {
    watch: (_id: string, listener: (seen: SeenJob) => void) => {
      onSeen = listener;
      return () => {};
    },
  } as unknown as JobWatches;

  beforeEach(async () => {
    [overs, mostLines, linesRead, received] = [0, 0, 0, 0];
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('data', (chunk) => (received += chunk.length)).on('error', () => {});
    client.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    client.pause();
    [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    const source = {
      log: (_id: string, after: number, most: number) => {
        const lines = Array.from({ length: Math.min(most, LINES - after) }, () => LINE);
        mostLines = Math.max(mostLines, lines.length);
        linesRead = after + lines.length;
        return Promise.resolve({ lines, total: LINES });
      },
      placed: (status: JobStatus) => Promise.resolve(status),
    };
    const open = (onReady: () => void, onGone: () => void): EventStream =>
      new EventStream(response, {}, 50, onReady, onGone);
    stream = new JobStream('default_1', 0, open, source, () => overs++);
    stream.watch(watches);
    onSeen(seen(RUNNING));
    // The buffers of both sockets are full when nothing moves any more.
    let before = 0;
    await eventually(() => before === (before = linesRead) && before > 0, { interval: 100 });
  });

  afterEach(async () => {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('[A4] holds no more than what was written last, however much happens', async () => {
    expect(linesRead).toBeLessThan(LINES);
    const [read, held] = [linesRead, response.writableLength];
    expect(held).toBeLessThanOrEqual(mostLines * (LINE.length + 100));
    for (let n = 0; n < 1_000; n++) onSeen(seen({ ...RUNNING, progress: n }));
    for (let n = 0; n < 10; n++) stream.beat();
    await new Promise(setImmediate);
    expect([linesRead, response.writableLength]).toEqual([read, held]);
    // Long lines are read a few at a time.
    expect(mostLines).toBeLessThanOrEqual(10);
  });

  it('[A4] drops the client when it takes nothing for too long', async () => {
    await eventually(() => {
      stream.beat();
      return response.destroyed;
    });
    expect(overs).toBe(1);
  });

  it('[A4] goes on where it was when the client takes it, with each line once', async () => {
    client.resume();
    const ended = once(client, 'end');
    onSeen(seen({ ...RUNNING, state: 'succeeded', terminal: true } as JobStatus));
    const closed = once(response, 'close');
    await closed;
    client.end();
    await ended.catch(() => {});
    expect(linesRead).toBe(LINES);
    expect(received).toBeGreaterThan(LINES * LINE.length);
    expect(received).toBeLessThan(LINES * (LINE.length + 200));
  });

  it('[A4] of a server that ends is dropped as well', async () => {
    const closed = once(response, 'close');
    stream.close(20);
    await closed;
    expect(overs).toBe(1);
  });
});
