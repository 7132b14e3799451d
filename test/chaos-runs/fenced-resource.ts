import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { FencedRun, LedgerFile } from './ledger.js';

const ACCEPTED = 200;
const TOO_OLD = 409;

/** What jobs write to under locks: it remembers the largest token of each key, and refuses smaller ones. */
export class FencedResource {
  private readonly largest = new Map<string, number>();

  private constructor(
    private readonly ledger: LedgerFile,
    private readonly server: Server,
  ) {}

  static async open(ledger: LedgerFile): Promise<FencedResource> {
    const server = createServer();
    const resource = new FencedResource(ledger, server);
    server.on('request', (request, response) => {
      void resource.take(request).then((accepted) => response.writeHead(accepted ? ACCEPTED : TOO_OLD).end());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return resource;
  }

  /** Of who writes: whether the resource took it. */
  static async write(url: string, run: FencedRun): Promise<boolean> {
    const { status } = await fetch(url, { method: 'POST', body: JSON.stringify(run) });
    if (status !== ACCEPTED && status !== TOO_OLD) throw new Error(`the resource answered ${status}`);
    return status === ACCEPTED;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage): Promise<boolean> {
    const run = (await json(request)) as FencedRun;
    const accepted = run.token >= (this.largest.get(run.key) ?? 0);
    if (accepted) this.largest.set(run.key, run.token);
    this.ledger.append({ what: 'write', accepted, ...run });
    return accepted;
  }
}
