import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** An event as `EventSource` takes it. @internal */
export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

/** @internal */
export const STREAM_HEADERS: OutgoingHttpHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  // Proxies like nginx would gather what is written.
  'X-Accel-Buffering': 'no',
};

/**
 * One response as a stream of server-sent events. It never holds more than what was written last: a client that does not
 * take that is written nothing else until it does.
 *
 * @internal
 */
export class EventStream {
  private fullSince: number | undefined;
  private lastResort: NodeJS.Timeout | undefined;

  /**
   * @param response - whose headers that were set before (CORS, say) are kept.
   * @param patience - milliseconds after which a client that has not taken what it was sent is taken for gone.
   * @param onReady - is called when more can be written.
   */
  constructor(
    private readonly response: ServerResponse,
    headers: OutgoingHttpHeaders,
    private readonly patience: number,
    onReady: () => void,
    onGone: () => void,
  ) {
    response.on('drain', () => {
      this.fullSince = undefined;
      onReady();
    });
    response.on('close', () => {
      clearTimeout(this.lastResort);
      onGone();
    });
    response.on('error', onGone);
    // Or the connection would outlive the stream, and keep a server that closes waiting.
    response.shouldKeepAlive = false;
    response.writeHead(200, { ...headers, ...STREAM_HEADERS });
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
    else if (this.fullSince !== undefined && Date.now() - this.fullSince > this.patience) this.response.destroy();
  }

  /** @param patience - milliseconds for which the client may take the rest. */
  end(patience = this.patience): void {
    this.lastResort ??= setTimeout(() => this.response.destroy(), patience).unref();
    this.response.end();
  }

  private send(text: string): void {
    if (text !== '' && this.isReady && !this.response.write(text)) this.fullSince = Date.now();
  }
}
