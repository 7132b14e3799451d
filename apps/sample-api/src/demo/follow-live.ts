import { setTimeout as delay } from 'node:timers/promises';
import type { JobStatus } from 'nestjs-jobs';
import { EventStreamParser, type ServerEvent } from './event-stream.js';
import type { JobNews } from './job-news.js';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 5_000;
/** In a row, without anything new in between. */
const MOST_FAILURES = 20;

/**
 * What becomes of a job, by server-sent events, to its end. After a lost connection it comes again with the id of the
 * last event, so that no line of the log is missing or told twice.
 *
 * @param refuse - throws what the server's answer says.
 */
export async function* followLive(url: URL, refuse: (answer: Response) => Promise<unknown>): AsyncGenerator<JobNews> {
  let status: JobStatus | undefined;
  let lastEventId = '';
  let wait = FIRST_WAIT;
  for (let failures = 0; failures < MOST_FAILURES; failures++) {
    const parser = new EventStreamParser(lastEventId);
    for await (const { event, data } of eventsOf(url, parser, refuse)) {
      failures = 0;
      ({ lastEventId } = parser);
      const content: unknown = JSON.parse(data);
      if (event === 'log') {
        yield { kind: 'log', line: (content as { line: string }).line };
        continue;
      }
      if (event === 'gone') throw new Error('The job is not there any more.');
      status = changed(status, event, content);
      if (status === undefined) continue;
      yield { kind: 'status', status };
      if (status.terminal) return;
    }
    yield { kind: 'lost' };
    wait = parser.retry ?? (failures === 0 ? FIRST_WAIT : Math.min(wait * 2, LONGEST_WAIT));
    await delay(wait);
  }
  throw new Error(`The server at ${url.origin} is away. The job goes on when it is back.`);
}

/** Ends when the connection does, in whatever way. */
async function* eventsOf(
  url: URL,
  parser: EventStreamParser,
  refuse: (answer: Response) => Promise<unknown>,
): AsyncGenerator<ServerEvent> {
  const { lastEventId } = parser;
  const headers = { accept: 'text/event-stream', ...(lastEventId !== '' && { 'last-event-id': lastEventId }) };
  const answer = await fetch(url, { headers }).catch(() => undefined);
  if (answer === undefined) return;
  // One that cannot answer now may do so later.
  if (!answer.ok && answer.status < 500) await refuse(answer);
  if (!answer.ok || answer.body === null) return;
  const texts = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const text = await texts.read().catch(() => undefined);
      if (text === undefined || text.done) return;
      yield* parser.push(text.value);
    }
  } finally {
    await texts.cancel().catch(() => undefined);
  }
}

function changed(before: JobStatus | undefined, event: string, content: unknown): JobStatus | undefined {
  if (event === 'state') return content as JobStatus;
  if (before === undefined) return undefined;
  if (event === 'progress') return { ...before, progress: content };
  if (event !== 'stage') return before;
  const { stage: _before, ...rest } = before;
  return content === null ? rest : { ...rest, stage: content as { name: string } };
}
