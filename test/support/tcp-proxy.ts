import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** Stands between a client and a server of the test, and fails as networks do. */
export class TcpProxy {
  /** Called with what clients send; when it says so, that connection is cut instead. */
  cutWhen: ((data: string) => boolean) | undefined;
  private isFrozen = false;
  private readonly sockets = new Set<Socket>();
  private readonly server;

  private constructor(private readonly target: number) {
    this.server = createServer((client) => this.forward(client));
  }

  static async to(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((listening) => proxy.server.listen(0, '127.0.0.1', listening));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From now on nothing comes through, in either direction, and nobody is told; also not on new connections. */
  freeze(): void {
    this.isFrozen = true;
  }

  /** Cuts what there is and lets new connections through. */
  thaw(): void {
    this.isFrozen = false;
    this.cut();
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.server.close(closed));
  }

  private forward(client: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.on('data', (data) => {
        if (this.isFrozen) return;
        if (from === client && this.cutWhen?.(data.toString('latin1'))) client.destroy();
        else to.write(data);
      });
    }
  }
}
