import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { followLive } from './follow-live.js';

describe('what the demo makes of the events of a job', () => {
  let server: Server;
  let url: URL;
  const events: [event: string, data: unknown][] = [];

  beforeEach(async () => {
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(events.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join(''));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('[A4] knows that there is no stage any more, and leaves alone what it does not know', async () => {
    events.push(
      ['state', { state: 'running', stage: { name: 'reading' }, terminal: false }],
      ['news', { of: 'a later version' }],
      ['stage', null],
      ['progress', 50],
      ['state', { state: 'succeeded', terminal: true }],
    );
    const stages: unknown[] = [];
    for await (const news of followLive(url, () => Promise.reject(new Error('refused')))) {
      if (news.kind === 'status') stages.push(news.status.stage?.name);
    }
    expect(stages).toEqual(['reading', 'reading', undefined, undefined, undefined]);
  });
});
