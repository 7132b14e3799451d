import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Where bytes come from. */
export type ProxySide = 'client' | 'server';

interface Carried {
  readonly from: Socket;
  readonly to: Socket;
  readonly side: ProxySide;
  /** What was held back leaves before what came later. */
  tail: Promise<unknown>;
  held: number;
  /** The end of the stream was passed on. */
  isHalfClosed: boolean;
}

/** Stands between a client and a server of the test, and fails as networks do. */
export class TcpProxy {
  /** Called with what clients send; when it says so, that connection is cut instead. */
  cutWhen: ((data: string) => boolean) | undefined;
  /** Called with what the server sends; when it says so, that connection is cut instead, and the answer lost. */
  cutWhenAnswered: ((data: string) => boolean) | undefined;
  /** Called with what clients send; when it says so, that is the last thing to come through on that connection. */
  strandWhen: ((data: string, connection: object) => boolean) | undefined;
  private readonly swallowed = new Set<ProxySide>();
  private isRefusing = false;
  private delay = 0;
  private readonly sockets = new Set<Socket>();
  private readonly carried = new Set<Carried>();
  private readonly stranded = new WeakSet<Socket>();
  private readonly server;

  private constructor(private readonly target: number) {
    // A client that has sent its end may still be answered.
    this.server = createServer({ allowHalfOpen: true }, (client) => this.forward(client));
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
    this.swallow('client');
    this.swallow('server');
  }

  /** From now on what that side sends is lost, and nobody is told; also on new connections. */
  swallow(side: ProxySide): void {
    this.swallowed.add(side);
  }

  /** Cuts what there is, and from now on each new connection as soon as it is there. */
  refuse(): void {
    this.isRefusing = true;
    this.cut();
  }

  /** From now on the bytes that come together wait that long (ms), in two parts, each behind the one before it. */
  delayBy(milliseconds: number): void {
    this.delay = milliseconds;
  }

  /** On the connections that there are, the other side hears that this one will send no more, while it still hears. */
  halfClose(side: ProxySide): void {
    for (const carried of this.carried) if (carried.side === side) this.passEnd(carried);
  }

  /** After {@link freeze}: new connections work, and those of now go on to swallow. */
  passNewOnes(): void {
    this.strand();
    this.lift();
  }

  /** Cuts what there is and lets new connections through. */
  thaw(): void {
    this.lift();
    this.cut();
  }

  /** No fault any more. Connections that have lost bytes meanwhile are of no use: `thaw` cuts them. */
  lift(): void {
    this.swallowed.clear();
    this.isRefusing = false;
    this.delay = 0;
  }

  /** Nothing comes through on the connections of now any more, and nobody is told. New ones are not concerned. */
  strand(): void {
    for (const socket of this.sockets) this.stranded.add(socket);
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.server.close(closed));
  }

  private forward(client: Socket): void {
    client.on('error', () => undefined);
    if (this.isRefusing) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    for (const [side, from, to] of [
      ['client', client, server],
      ['server', server, client],
    ] as const) {
      const carried: Carried = { from, to, side, tail: Promise.resolve(), held: 0, isHalfClosed: false };
      this.sockets.add(from);
      this.carried.add(carried);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        this.carried.delete(carried);
        to.destroy();
      });
      from.on('data', (data) => this.carry(carried, data));
      from.on('end', () => this.inTurn(carried, () => this.passEnd(carried)));
    }
  }

  private carry(carried: Carried, data: Buffer): void {
    const { side, from } = carried;
    if (this.swallowed.has(side) || this.stranded.has(from)) return;
    const cutWhen = side === 'client' ? this.cutWhen : this.cutWhenAnswered;
    if (cutWhen?.(data.toString('latin1'))) {
      from.destroy();
      return;
    }
    if (side === 'client' && this.strandWhen?.(data.toString('latin1'), from)) {
      this.stranded.add(from).add(carried.to);
    }
    if (this.delay === 0) {
      this.inTurn(carried, () => this.pass(carried, data));
      return;
    }
    const middle = Math.ceil(data.length / 2);
    for (const part of [data.subarray(0, middle), data.subarray(middle)]) {
      this.inTurn(carried, async () => {
        await pause(this.delay / 2);
        this.pass(carried, part);
      });
    }
  }

  private inTurn(carried: Carried, deed: () => unknown): void {
    if (carried.held === 0 && this.delay === 0) {
      deed();
      return;
    }
    carried.held++;
    carried.tail = carried.tail.then(deed).finally(() => carried.held--);
  }

  private pass({ to, side, isHalfClosed }: Carried, data: Buffer): void {
    if (!isHalfClosed && !this.swallowed.has(side) && !to.destroyed) to.write(data);
  }

  private passEnd(carried: Carried): void {
    if (this.swallowed.has(carried.side) || carried.isHalfClosed) return;
    carried.isHalfClosed = true;
    carried.to.end();
  }
}
