/** An event as `EventSource` would give it; Node 20 has none. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Reads the text of a stream of server-sent events, piece by piece, as the HTML standard has it. */
export class EventStreamParser {
  /** Milliseconds that the server wishes to be left alone before a client comes again. */
  retry: number | undefined;
  private rest = '';
  private event = '';
  private data: string[] = [];

  /** @param lastEventId - of the connection before this one. */
  constructor(public lastEventId = '') {}

  /** What has become complete by this text. Half an event at the end of a stream is none. */
  *push(text: string): Generator<ServerEvent> {
    this.rest += text;
    // A \r at the end may be half of a \r\n.
    for (let end = /\r\n|\n|\r(?!$)/.exec(this.rest); end; end = /\r\n|\n|\r(?!$)/.exec(this.rest)) {
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      if (line === '') yield* this.dispatch();
      else this.take(line);
    }
  }

  private *dispatch(): Generator<ServerEvent> {
    const { event, data } = this;
    this.event = '';
    this.data = [];
    if (data.length > 0) yield { event: event || 'message', data: data.join('\n') };
  }

  private take(line: string): void {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (field === 'event') this.event = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.lastEventId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
