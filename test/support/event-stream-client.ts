/** What a server sent as one event. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

/** Reads a response of server-sent events as a browser does. */
export class EventStreamClient {
  readonly events: ServerEvent[] = [];
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  private readonly abort = new AbortController();

  private constructor(
    readonly url: string,
    private readonly response: Response,
  ) {
    this.ended = this.read();
    this.ended.catch(() => {});
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventStreamClient> {
    const abort = new AbortController();
    const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: abort.signal });
    const client = new EventStreamClient(url, response);
    abort.signal.addEventListener('abort', () => client.abort.abort());
    client.abort.signal.addEventListener('abort', () => abort.abort());
    return client;
  }

  get status(): number {
    return this.response.status;
  }

  get headers(): Headers {
    return this.response.headers;
  }

  of(event: string): unknown[] {
    return this.events.filter((each) => each.event === event).map(({ data }) => data);
  }

  leave(): void {
    this.abort.abort();
  }

  private async read(): Promise<void> {
    if (!this.response.body) return;
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        this.take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  private take(block: string): void {
    const fields = new Map(
      block
        .split('\n')
        .filter((line) => !line.startsWith(':'))
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
    );
    const data = fields.get('data');
    if (data === undefined) return;
    this.events.push({ event: fields.get('event')!, id: fields.get('id')!, data: JSON.parse(data) });
  }
}
