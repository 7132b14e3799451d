// The clients of server-sent events, in a process of their own.
import { Agent, get, type IncomingMessage } from 'node:http';
import { serveParent } from './alone.js';

export type FollowRequest =
  /** Answers when each of them has been told its job's state. */
  | { readonly step: 'come'; readonly url: string; readonly ids: readonly string[] }
  /** What each was sent since it was asked last, in the order of the ids. */
  | { readonly step: 'tally' }
  | { readonly step: 'leave' };

/** How many events of each kind. */
export type Tally = Readonly<Record<string, number>>;

/** Clients that come at the same time. */
const TOGETHER = 50;
/** Milliseconds until a client is told its job's state, at most. */
const PATIENCE = 30_000;

const agent = new Agent({ maxSockets: Infinity });
let clients: Follower[] = [];

serveParent(async (request: FollowRequest): Promise<readonly Tally[] | undefined> => {
  if (request.step === 'tally') return clients.map((client) => client.tally());
  if (request.step === 'leave') {
    for (const client of clients.splice(0)) client.leave();
    return undefined;
  }
  const { url, ids } = request;
  clients = ids.map((id) => new Follower(`${url}/jobs/${id}/events`));
  for (let n = 0; n < clients.length; n += TOGETHER) {
    await Promise.all(clients.slice(n, n + TOGETHER).map((client) => client.come()));
  }
  return undefined;
});

/** Reads a stream as cheaply as it can: this process must not be what is waited for. */
class Follower {
  private response: IncomingMessage | undefined;
  private counts: Record<string, number> = {};
  private rest = '';

  constructor(private readonly url: string) {}

  come(): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (why: unknown): void => reject(new Error(`${this.url}: no state was told`, { cause: why }));
      const patience = setTimeout(giveUp, PATIENCE, `in ${PATIENCE} ms`);
      const request = get(this.url, { agent, headers: { accept: 'text/event-stream' } }, (response) => {
        if (response.statusCode !== 200) return giveUp(response.statusCode);
        this.response = response.setEncoding('utf8');
        response.on('error', giveUp);
        response.on('data', (text: string) => {
          this.take(text);
          if (this.counts['state'] === undefined) return;
          clearTimeout(patience);
          resolve();
        });
      });
      request.on('error', giveUp);
    });
  }

  tally(): Tally {
    const { counts } = this;
    this.counts = {};
    return counts;
  }

  leave(): void {
    this.response?.destroy();
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith('event: ')) continue;
      const event = line.slice('event: '.length);
      this.counts[event] = (this.counts[event] ?? 0) + 1;
    }
  }
}
