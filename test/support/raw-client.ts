import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One connection to a server, for clients that do not behave. */
export class RawClient {
  /** All that was read. */
  text = '';

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    socket.on('error', () => {});
  }

  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Sends requests, one right after the other. */
  get(paths: readonly string[], headers: Record<string, string> = {}): this {
    const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`).join(''));
    return this;
  }

  /** Takes nothing any more, and stays connected. */
  stall(): this {
    this.socket.pause();
    return this;
  }

  leave(how: 'reset' | 'close'): void {
    if (how === 'reset') this.socket.resetAndDestroy();
    else this.socket.end();
  }
}
