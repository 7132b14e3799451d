import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { TLSSocket } from 'node:tls';
import { DeliveryFailedError, DeliveryTimeoutError } from './delivery.errors.js';
import type { SignedRequest } from './signed-request.js';

/** Nobody looks at the body; a little of it is taken so that an honest receiver sees its answer arrive. */
const MOST_ANSWER_BYTES = 64 * 1024;

export interface PostOptions extends SignedRequest {
  readonly lookup: LookupFunction;
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Milliseconds, from the start. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Sends one POST on a connection of its own. Redirects are an answer like any other. */
export async function postOnce(url: URL, options: PostOptions): Promise<Answer> {
  const { headers, body, lookup, connectTimeout, timeout, signal } = options;
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = open(url, { method: 'POST', agent: false, headers, lookup, signal });
  const connecting = destroyAfter(request, connectTimeout, 'no connection');
  const answering = destroyAfter(request, timeout, 'no answer');
  request.once('socket', (socket) => {
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
  });
  try {
    const answered = responseTo(request);
    request.end(body);
    const response = await answered;
    const answer = { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] };
    await readSome(response);
    return answer;
  } catch (error) {
    throw certificateRefusal(request) ?? error;
  } finally {
    clearTimeout(connecting);
    clearTimeout(answering);
    request.destroy();
  }
}

function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // Not once: an error after the answer has come changes nothing, and unheard it would end the process.
    request.on('error', reject);
    // After "101 Switching Protocols" nothing else is told.
    request.once('close', () => reject(new DeliveryFailedError('HUNG_UP', 'closed without an answer')));
  });
}

function certificateRefusal({ socket }: ClientRequest): DeliveryFailedError | undefined {
  // Typed as an Error, it is a code such as CERT_HAS_EXPIRED.
  const reason = socket instanceof TLSSocket && (socket.authorizationError as unknown as string | null);
  return reason ? new DeliveryFailedError(reason, `its certificate is not trusted (${reason})`) : undefined;
}

function destroyAfter(request: ClientRequest, limit: number, what: string): NodeJS.Timeout {
  return setTimeout(() => request.destroy(new DeliveryTimeoutError(`${what} within ${limit} ms`)), limit);
}

async function readSome(response: IncomingMessage): Promise<void> {
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size >= MOST_ANSWER_BYTES) return;
    }
  } catch {
    // The status has come, and it alone decides.
  }
}
