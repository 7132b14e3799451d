import type { ServerResponse } from 'node:http';

/** Milliseconds after which a client that has not taken what it was sent is taken for gone. */
const PATIENCE = 60_000;

/** An event as `EventSource` takes it. @internal */
export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

/**
 * One response as a stream of server-sent events. It never holds more than what was written last: a client that does not
 * take that is written nothing else until it does.
 *
 * @internal
 */
export class EventStream {
  private fullSince: number | undefined;

  /**
   * @param response - whose headers that were set before (CORS, say) are kept.
   * @param onReady - is called when more can be written.
   */
  constructor(
    private readonly response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    onReady: () => void,
    onGone: () => void,
  ) {
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      // Proxies like nginx would gather what is written.
      'X-Accel-Buffering': 'no',
    });
    response.on('drain', () => {
      this.fullSince = undefined;
      onReady();
    });
    response.on('close', onGone);
    response.on('error', onGone);
    response.flushHeaders();
  }

  get isReady(): boolean {
    return this.fullSince === undefined && !this.response.destroyed && !this.response.writableEnded;
  }

  write(events: readonly StreamEvent[]): void {
    this.send(
      events.map(({ event, id, data }) => `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`).join(''),
    );
  }

  /** Keeps proxies from closing what is silent, and finds clients that are gone. */
  beat(): void {
    if (this.isReady) this.send(':\n\n');
    else if (this.fullSince !== undefined && Date.now() - this.fullSince > PATIENCE) this.response.destroy();
  }

  end(): void {
    this.response.end();
  }

  private send(text: string): void {
    if (text !== '' && !this.response.write(text)) this.fullSince ??= Date.now();
  }
}
