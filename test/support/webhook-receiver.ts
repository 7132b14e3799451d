import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TlsCertificate } from './tls-certificate.js';

/** One request as it came in. */
export interface Delivery {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** In ms, on the clock of `performance.now()`. */
  readonly arrivedAt: number;
}

/** Answers the n-th request, from 1, of its path. */
export type Reply = (response: ServerResponse, nth: number) => void;

/** A real HTTP server, or HTTPS, that answers what the test says, by path. */
export interface WebhookReceiver {
  readonly port: number;
  /** Prepares a path, and gives its URL. */
  answer(reply: Reply): string;
  /** What has come in at that URL, oldest first. */
  deliveries(url: string): readonly Delivery[];
  /** How many requests have come in, at whatever path. */
  readonly count: number;
  close(): Promise<void>;
}

export async function startReceiver(
  host = '127.0.0.1',
  port = 0,
  tls?: Pick<TlsCertificate, 'key' | 'cert'>,
): Promise<WebhookReceiver> {
  const replies = new Map<string, { reply: Reply; deliveries: Delivery[] }>();
  let count = 0;
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    count++;
    const arrivedAt = performance.now();
    const path = replies.get(request.url ?? '');
    void buffer(request).then((body) => {
      if (!path) return response.writeHead(418).end();
      path.deliveries.push({ method: request.method ?? '', headers: request.headers, body, arrivedAt });
      return path.reply(response, path.deliveries.length);
    });
  };
  const server = tls ? createTlsServer(tls, receive) : createServer(receive);
  server.listen(port, host);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    answer(reply) {
      const path = `/hooks/${replies.size}?token=t`;
      replies.set(path, { reply, deliveries: [] });
      return `${tls ? 'https' : 'http'}://${host}:${bound}${path}`;
    },
    deliveries: (url) => replies.get(new URL(url).pathname + new URL(url).search)?.deliveries ?? [],
    get count() {
      return count;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
